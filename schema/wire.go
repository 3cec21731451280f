package schema

import (
	"encoding/binary"
	"fmt"
)

const (
	// magicV0 begins a frame with an id, the only one this version writes.
	magicV0 = 0x00
	// magicV1 begins a frame with a GUID of 16 bytes, of newer clients.
	magicV1 = 0x01
	// HeaderSize is the length of the frame before the payload, in bytes.
	HeaderSize = 5
)

// AppendHeader appends the version 0 frame of a schema id to dst.
func AppendHeader(dst []byte, id int) []byte {
	return binary.BigEndian.AppendUint32(append(dst, magicV0), uint32(id))
}

// ParseHeader splits an encoded value into the id of its schema and its
// payload, which shares memory with data. The error is of kind ErrPoison.
func ParseHeader(data []byte) (id int, payload []byte, err error) {
	switch {
	case data == nil:
		return 0, nil, poison(0, "no value: a tombstone has no schema")
	case len(data) < HeaderSize:
		return 0, nil, poison(0, "%d bytes, need at least %d for magic byte and schema id", len(data), HeaderSize)
	case data[0] == magicV1:
		return 0, nil, poison(0, "frame version 1 (schema GUID) is not supported, need magic byte 0 and a schema id")
	case data[0] != magicV0:
		return 0, nil, poison(0, "magic byte is 0x%02x, need 0x00: the value was not written by a registry's serializer", data[0])
	}
	id = int(int32(binary.BigEndian.Uint32(data[1:])))
	if id < 0 {
		return 0, nil, poison(1, "schema id %d is negative", id)
	}
	return id, data[HeaderSize:], nil
}

func poison(offset int, format string, args ...any) *Error {
	return &Error{Op: "decode", Offset: offset, Err: as(fmt.Errorf(format, args...), ErrPoison)}
}
