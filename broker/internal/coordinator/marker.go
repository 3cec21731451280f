package coordinator

import "encoding/binary"

// The types of control records that end a transaction.
const (
	abortMarker  = 0
	commitMarker = 1
)

// markerKind reads the key of a control record: version and type, two bytes
// each. Control records of other types end no transaction.
func markerKind(key []byte) (commit, ok bool) {
	if len(key) < 4 {
		return false, false
	}
	kind := binary.BigEndian.Uint16(key[2:])
	return kind == commitMarker, kind == commitMarker || kind == abortMarker
}
