package progress

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// Key names the partition that a position belongs to.
type Key struct {
	Kind      string `json:"kind"`
	Flow      string `json:"flow"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
}

// Position is how far a flow has copied one partition.
type Position struct {
	Version int `json:"version"`
	// Next is the source offset to copy next.
	Next int64 `json:"next"`
	// TopicID is the source topic's id in hexadecimal, empty where the source
	// has none; it tells a topic from one that was created again.
	TopicID string `json:"topic_id,omitempty"`
	// Target is the topic's name at the target.
	Target string `json:"target"`
	// TargetNext is the target offset after the last copied record.
	TargetNext int64 `json:"target_next"`
	// Timestamp and Hash are those of the last copied record.
	Timestamp int64  `json:"timestamp"`
	Hash      string `json:"hash,omitempty"`
}

const (
	kind    = "position"
	version = 1
)

// ErrFormat is returned for a record of the state topic that is not a
// position of a known version.
var ErrFormat = errors.New("not a position")

// Encode returns the record of the state topic for one partition of a flow.
func Encode(flow, topic string, partition int32, p Position) (key, value []byte, err error) {
	p.Version = version
	if key, err = json.Marshal(Key{kind, flow, topic, partition}); err != nil {
		return nil, nil, err
	}
	value, err = json.Marshal(p)
	return key, value, err
}

// Decode reads a record of the state topic. A nil value is a tombstone and
// gives a nil position.
func Decode(key, value []byte) (Key, *Position, error) {
	var k Key
	if err := json.Unmarshal(key, &k); err != nil {
		return Key{}, nil, fmt.Errorf("%w: key: %w", ErrFormat, err)
	}
	if k.Kind != kind {
		return Key{}, nil, fmt.Errorf("%w: kind %q", ErrFormat, k.Kind)
	}
	if value == nil {
		return k, nil, nil
	}
	var p Position
	if err := json.Unmarshal(value, &p); err != nil {
		return Key{}, nil, fmt.Errorf("%w: value: %w", ErrFormat, err)
	}
	if p.Version != version || p.Next < 0 || p.TargetNext < 0 {
		return Key{}, nil, fmt.Errorf("%w: version %d, next %d, target_next %d", ErrFormat, p.Version, p.Next, p.TargetNext)
	}
	return k, &p, nil
}

// Print is what a record is recognised by: its timestamp and a hash over its
// key and value.
type Print struct {
	Timestamp int64
	Hash      string
}

// Fingerprint recognises a record with this timestamp (milliseconds), key and
// value. Null and empty differ.
func Fingerprint(timestamp int64, key, value []byte) Print {
	h := sha256.New()
	for _, part := range [][]byte{key, value} {
		var length [8]byte
		n := int64(len(part))
		if part == nil {
			n = -1
		}
		binary.BigEndian.PutUint64(length[:], uint64(n))
		h.Write(length[:])
		h.Write(part)
	}
	return Print{timestamp, hex.EncodeToString(h.Sum(nil)[:8])}
}
