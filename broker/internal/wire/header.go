package wire

import "encoding/binary"

// PrefixSize is the length of what stands before every header: the frame's
// length, and of its header the key and version, by which the server decides
// how large a frame may be.
const PrefixSize = 8

// Header is the header of a request. ClientID aliases the frame.
type Header struct {
	Key           int16
	Version       int16
	CorrelationID int32
	ClientID      string
}

// ParseHeader splits a frame, without its length, into header and body.
//
// An ApiVersions request of a version that does not exist yet must still be
// answered (KIP-511), so what follows its correlation id is not looked at: its
// body comes back empty when the header cannot be read.
func ParseHeader(frame []byte) (Header, []byte, error) {
	r := reader{src: frame}
	h := Header{Key: r.int16(), Version: r.int16(), CorrelationID: r.int32()}
	if r.failed() {
		return h, nil, r.err(h.Key, h.Version)
	}
	h.ClientID, _ = r.nullableString(false)
	if Flexible(h.Key, h.Version) {
		r.skipTags()
	}
	if r.failed() {
		if h.Key == KeyAPIVersions {
			return Header{Key: h.Key, Version: h.Version, CorrelationID: h.CorrelationID}, nil, nil
		}
		return h, nil, r.err(h.Key, h.Version)
	}
	return h, frame[r.pos:], nil
}

// AppendResponseHeader appends what stands before the body of the response to
// a request with header h.
func AppendResponseHeader(dst []byte, h Header) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(h.CorrelationID))
	if h.Key != KeyAPIVersions && Flexible(h.Key, h.Version) {
		dst = append(dst, 0)
	}
	return dst
}
