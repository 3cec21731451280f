package quorum

import (
	"encoding/binary"
	"hash/fnv"

	"github.com/millrace-io/millrace/broker/internal/metadata"
)

// RaftID is a node's id in the quorum. It depends on the directory, so that a
// node that lost its disk, and with it the memory of its votes, is a new
// member and cannot vote a second time as its old self.
func RaftID(node int32, directory metadata.UUID) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(binary.BigEndian.AppendUint32(nil, uint32(node)))
	_, _ = h.Write(directory[:])
	if id := h.Sum64(); id != 0 {
		return id
	}
	return 1 // Raft takes 0 for "none".
}
