package wire

import "encoding/binary"

// Endpoint is a broker's address, as the leader hints of KIP-951 carry it.
type Endpoint struct {
	NodeID int32
	Host   string
	Port   int32
	// Rack is empty for none.
	Rack string
}

// Leader is a partition's leader as the responder knows it (KIP-951). The
// value with both fields -1 says nothing and is not sent.
type Leader struct {
	ID, Epoch int32
}

// NoLeader is the hint that is not sent.
var NoLeader = Leader{ID: -1, Epoch: -1}

func appendInt16(dst []byte, v int16) []byte { return binary.BigEndian.AppendUint16(dst, uint16(v)) }
func appendInt32(dst []byte, v int32) []byte { return binary.BigEndian.AppendUint32(dst, uint32(v)) }
func appendInt64(dst []byte, v int64) []byte { return binary.BigEndian.AppendUint64(dst, uint64(v)) }

func appendUvarint(dst []byte, v int) []byte { return binary.AppendUvarint(dst, uint64(v)) }

func appendString(dst []byte, flexible bool, s string) []byte {
	if flexible {
		dst = appendUvarint(dst, len(s)+1)
	} else {
		dst = appendInt16(dst, int16(len(s)))
	}
	return append(dst, s...)
}

// appendNullable appends a string, null if it is empty: the strings that may
// be null here are messages and racks, where empty says nothing.
func appendNullable(dst []byte, flexible bool, s string) []byte {
	switch {
	case s != "":
		return appendString(dst, flexible, s)
	case flexible:
		return append(dst, 0)
	default:
		return appendInt16(dst, -1)
	}
}

func appendArray(dst []byte, flexible bool, n int) []byte {
	if flexible {
		return appendUvarint(dst, n+1)
	}
	return appendInt32(dst, int32(n))
}

// appendLeaderTag appends the tagged field of a leader hint.
func appendLeaderTag(dst []byte, tag int, l Leader) []byte {
	dst = appendUvarint(dst, tag)
	dst = appendUvarint(dst, 9) // two int32 and no tags of its own
	dst = appendInt32(dst, l.ID)
	dst = appendInt32(dst, l.Epoch)
	return append(dst, 0)
}

// appendEndpoints appends the tag section that ends a Produce v10 or Fetch v16
// response: the addresses of the leaders that its hints name, in tag 0.
func appendEndpoints(dst []byte, nodes []Endpoint) []byte {
	if len(nodes) == 0 {
		return append(dst, 0)
	}
	dst = append(dst, 1, 0)
	size := uvarintSize(len(nodes) + 1)
	for i := range nodes {
		size += nodes[i].size()
	}
	dst = appendUvarint(dst, size)
	dst = appendArray(dst, true, len(nodes))
	for i := range nodes {
		n := &nodes[i]
		dst = appendInt32(dst, n.NodeID)
		dst = appendString(dst, true, n.Host)
		dst = appendInt32(dst, n.Port)
		dst = appendNullable(dst, true, n.Rack)
		dst = append(dst, 0)
	}
	return dst
}

func (e *Endpoint) size() int {
	size := 4 + uvarintSize(len(e.Host)+1) + len(e.Host) + 4 + 1 + 1
	if e.Rack != "" {
		size += uvarintSize(len(e.Rack)+1) + len(e.Rack) - 1
	}
	return size
}

func uvarintSize(v int) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}
