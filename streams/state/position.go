package state

import (
	"encoding/binary"
	"fmt"

	"github.com/syndtr/goleveldb/leveldb"
)

// Position is how far into its changelog a store is: everything below Offset
// is in it. The topic's id tells a recreated changelog, whose offsets mean
// something else.
type Position struct {
	TopicID [16]byte
	Offset  int64
}

func (p Position) append(b []byte) []byte {
	b = append(b, p.TopicID[:]...)
	return binary.BigEndian.AppendUint64(b, uint64(p.Offset))
}

// Position gives the store's position, or ok = false if it has none yet.
func (db *DB) Position(store string) (p Position, ok bool, err error) {
	b, ok, err := db.get(metaKey("position/", store))
	if err != nil || !ok {
		return p, false, err
	}
	if len(b) != 24 {
		return p, false, fmt.Errorf("%s: %w: position of %s has %d bytes, need 24", db.dir, ErrCorrupt, store, len(b))
	}
	copy(p.TopicID[:], b)
	p.Offset = int64(binary.BigEndian.Uint64(b[16:]))
	return p, true, nil
}

// loadBytes is when a Loader writes what it has: batches beyond goleveldb's
// write buffer go straight into tables.
const loadBytes = 2 << 20

// Loader fills one store from its changelog, in large batches.
type Loader struct {
	db    *DB
	store string
	id    uint16
	batch leveldb.Batch
	bytes int
	key   []byte
	value []byte
}

// Loader begins filling the store.
func (db *DB) Loader(store string) (*Loader, error) {
	id, err := db.storeID(store)
	if err != nil {
		return nil, err
	}
	return &Loader{db: db, store: store, id: id}, nil
}

// Put adds a changelog record; a nil value deletes the key.
func (l *Loader) Put(key, value []byte, ts int64) {
	l.key = append(binary.BigEndian.AppendUint16(l.key[:0], l.id), key...)
	l.bytes += len(key) + len(value) + entryOverhead
	if value == nil {
		l.batch.Delete(l.key)
		return
	}
	l.value = append(binary.BigEndian.AppendUint64(l.value[:0], uint64(ts)), value...)
	l.batch.Put(l.key, l.value)
}

// Reached says that everything below p was put. It writes a batch when enough
// has come together.
func (l *Loader) Reached(p Position) error {
	if l.bytes < loadBytes {
		return nil
	}
	return l.Flush(p)
}

// Flush writes what was put, together with the position.
func (l *Loader) Flush(p Position) error {
	l.batch.Put(metaKey("position/", l.store), p.append(nil))
	if err := l.db.write(&l.batch); err != nil {
		return err
	}
	l.batch.Reset()
	l.bytes = 0
	return nil
}
