package metadata

import (
	"encoding/base64"
	"errors"
)

// UUID identifies a topic, a directory, or one life of a broker.
type UUID [16]byte

// errUUID is returned by ParseUUID.
var errUUID = errors.New("not a uuid: expected 22 characters of base64 (URL alphabet, no padding)")

// ParseUUID reads the form that String writes.
func ParseUUID(s string) (UUID, error) {
	var id UUID
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != len(id) {
		return UUID{}, errUUID
	}
	return UUID(b), nil
}

// String writes the id as Kafka's tools do: base64 with the URL alphabet,
// without padding.
func (id UUID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// IsZero reports whether the id is all zeros, which stands for "none".
func (id UUID) IsZero() bool { return id == UUID{} }
