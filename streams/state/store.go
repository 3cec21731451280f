package state

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	idSize   = 2
	timeSize = 8
)

// Store is one store of a task: keys and values as bytes, each value with the
// event time of its last update. It belongs to the task: one goroutine at a
// time.
type Store struct {
	name    string
	overlay *Overlay
	id      uint16
}

// Name is the store's name in the topology.
func (s *Store) Name() string { return s.name }

// Get gives the value of key and its event time in milliseconds. The slice is
// valid until the next write to any store of the task.
func (s *Store) Get(key []byte) (value []byte, ts int64, ok bool, err error) {
	stored, ok, err := s.overlay.get(s.full(key))
	if err != nil || !ok {
		return nil, 0, false, err
	}
	value, ts, err = s.split(stored)
	return value, ts, err == nil, err
}

// Put sets the value of key. It keeps neither slice.
func (s *Store) Put(key, value []byte, ts int64) {
	s.overlay.set(s, s.full(key), ts, value, true, true)
}

// Delete removes key; its changelog gets a tombstone.
func (s *Store) Delete(key []byte, ts int64) {
	s.overlay.set(s, s.full(key), ts, nil, false, true)
}

// Expire removes the keys in [lo, hi) here only: the changelog forgets them by
// its own retention.
func (s *Store) Expire(lo, hi []byte) error {
	return s.overlay.scan(s.copied(lo), s.upper(hi), func(key, _ []byte) error {
		s.overlay.set(s, key, 0, nil, false, false)
		return nil
	})
}

// Scan calls f for the keys in [lo, hi) in order; nil for hi means to the end.
// The slices are valid within the call; f may delete the key it was given.
func (s *Store) Scan(lo, hi []byte, f func(key, value []byte, ts int64) error) error {
	return s.overlay.scan(s.copied(lo), s.upper(hi), func(key, stored []byte) error {
		value, ts, err := s.split(stored)
		if err != nil {
			return err
		}
		return f(key[idSize:], value, ts)
	})
}

// full is the key in the database, in the overlay's scratch space.
func (s *Store) full(key []byte) []byte {
	o := s.overlay
	o.key = binary.BigEndian.AppendUint16(o.key[:0], s.id)
	o.key = append(o.key, key...)
	return o.key
}

func (s *Store) copied(key []byte) []byte {
	return append(binary.BigEndian.AppendUint16(make([]byte, 0, idSize+len(key)), s.id), key...)
}

func (s *Store) upper(hi []byte) []byte {
	if hi == nil {
		return binary.BigEndian.AppendUint16(nil, s.id+1)
	}
	return s.copied(hi)
}

var errShort = errors.New("stored value is shorter than its timestamp")

func (s *Store) split(stored []byte) (value []byte, ts int64, err error) {
	if len(stored) < timeSize {
		return nil, 0, fmt.Errorf("store %s: %w: %w", s.name, ErrCorrupt, errShort)
	}
	return stored[timeSize:], int64(binary.BigEndian.Uint64(stored)), nil
}
