package quorum

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path"

	"github.com/millrace-io/millrace/internal/vfs"
)

// vote is the content of the file quorum-state: what a voter must not forget.
type vote struct {
	Version int    `json:"version"`
	Term    uint64 `json:"term"`
	Vote    uint64 `json:"vote"` // raft id of the candidate, 0 for none
	// Sum guards against a flipped bit, which would let this node vote twice.
	Sum uint32 `json:"sum"`
}

const voteFile = "quorum-state"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (v vote) sum() uint32 {
	return crc32.Checksum(fmt.Appendf(nil, "%d %d %d", v.Version, v.Term, v.Vote), castagnoli)
}

// saveVote replaces the file and syncs file and directory.
func saveVote(f vfs.FS, dir string, term, candidate uint64) error {
	v := vote{Term: term, Vote: candidate}
	v.Sum = v.sum()
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return vfs.WriteFile(f, path.Join(dir, voteFile), append(b, '\n'))
}

// loadVote reads the file; false where there is none.
func loadVote(f vfs.FS, dir string) (vote, bool, error) {
	b, err := vfs.ReadFile(f, path.Join(dir, voteFile))
	if errors.Is(err, fs.ErrNotExist) {
		return vote{}, false, nil
	}
	if err != nil {
		return vote{}, false, err
	}
	var v vote
	if err := json.Unmarshal(b, &v); err != nil || v.Version != 0 || v.Sum != v.sum() {
		return vote{}, false, fmt.Errorf("%w: %s does not hold a term and a vote. "+
			"With other voters: replace this node, since it might vote twice. Alone: restore the file from a backup",
			ErrCorrupt, path.Join(dir, voteFile))
	}
	return v, true, nil
}
