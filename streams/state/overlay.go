package state

import (
	"encoding/binary"
	"fmt"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/comparer"
	"github.com/syndtr/goleveldb/leveldb/memdb"
)

// entryOverhead is what an entry costs beside its key and value: the struct,
// the map's slot and the sorted index's node.
const entryOverhead = 128

// Overlay holds the writes of one task since its last commit. It belongs to
// the task: one goroutine at a time.
//
// Entries are found by a hash map and ordered by a goleveldb memdb that holds
// each key once, however often it is updated: a memdb alone would grow with
// every update of a hot key.
type Overlay struct {
	db      *DB // nil: there is nothing beneath
	entries []entry
	index   map[string]int32
	order   *memdb.DB
	bytes   int
	stores  []*Store
	key     []byte // scratch
	batch   leveldb.Batch
}

type entry struct {
	key     string
	value   []byte // stored form; its array is reused by the next update
	store   *Store
	deleted bool
	logged  bool // goes to the changelog
}

// NewOverlay makes an overlay over db, or over nothing: then everything stays
// in memory, as the test driver wants it.
func NewOverlay(db *DB) *Overlay {
	return &Overlay{db: db, index: map[string]int32{}, order: memdb.New(comparer.DefaultComparer, 0)}
}

// Bytes is the memory that the overlay holds.
func (o *Overlay) Bytes() int { return o.bytes }

// Store gives the store of that name. It is an error to ask twice.
func (o *Overlay) Store(name string) (*Store, error) {
	for _, s := range o.stores {
		if s.name == name {
			return nil, fmt.Errorf("store %s is opened twice", name)
		}
	}
	id := uint16(len(o.stores) + 1)
	if o.db != nil {
		var err error
		if id, err = o.db.storeID(name); err != nil {
			return nil, err
		}
	}
	s := &Store{name: name, overlay: o, id: id}
	o.stores = append(o.stores, s)
	return s, nil
}

// get gives the stored form, valid until the next write.
func (o *Overlay) get(key []byte) ([]byte, bool, error) {
	if i, ok := o.index[string(key)]; ok {
		e := &o.entries[i]
		return e.value, !e.deleted, nil
	}
	if o.db == nil {
		return nil, false, nil
	}
	return o.db.get(key)
}

// at gives the entry of key, a new one if need be.
func (o *Overlay) at(s *Store, key []byte) *entry {
	if i, ok := o.index[string(key)]; ok {
		return &o.entries[i]
	}
	i := len(o.entries)
	e := entry{key: string(key), store: s}
	o.entries = append(o.entries, e)
	o.index[e.key] = int32(i)
	// memdb only fails on what cannot happen: Put has no error path.
	_ = o.order.Put(key, binary.BigEndian.AppendUint32(nil, uint32(i)))
	o.bytes += len(key) + entryOverhead
	return &o.entries[i]
}

// set writes a stored form, or with live = false removes the key.
func (o *Overlay) set(s *Store, key []byte, ts int64, value []byte, live, logged bool) {
	e := o.at(s, key)
	o.bytes -= len(e.value)
	e.value = binary.BigEndian.AppendUint64(e.value[:0], uint64(ts))
	e.value = append(e.value, value...)
	e.deleted = !live
	e.logged = e.logged || logged
	o.bytes += len(e.value)
}

// Change is what a commit sends to a changelog: one per key, however often the
// key was updated. Its slices are valid until Flush or Drop.
type Change struct {
	Store     string
	Key       []byte
	Value     []byte // nil: the key was deleted
	Timestamp int64  // event time of the update, in milliseconds
}

// Changes calls f for every key that was written since the last Flush or Drop
// and belongs into a changelog, in the order of first updates.
func (o *Overlay) Changes(f func(Change) error) error {
	for i := range o.entries {
		e := &o.entries[i]
		if !e.logged {
			continue
		}
		change := Change{Store: e.store.name, Key: []byte(e.key[idSize:]), Timestamp: int64(binary.BigEndian.Uint64(e.value))}
		if !e.deleted {
			change.Value = e.value[timeSize:]
		}
		if err := f(change); err != nil {
			return err
		}
	}
	return nil
}

// Flush writes everything to the database as one batch, with the positions of
// the changelogs that hold it.
func (o *Overlay) Flush(positions map[string]Position) error {
	if o.db == nil {
		return nil
	}
	o.batch.Reset()
	for i := range o.entries {
		e := &o.entries[i]
		if e.deleted {
			o.batch.Delete([]byte(e.key))
		} else {
			o.batch.Put([]byte(e.key), e.value)
		}
	}
	for store, p := range positions {
		o.batch.Put(metaKey("position/", store), p.append(nil))
	}
	if err := o.db.write(&o.batch); err != nil {
		return err
	}
	o.clear()
	return nil
}

// Drop forgets everything since the last Flush.
func (o *Overlay) Drop() { o.clear() }

func (o *Overlay) clear() {
	clear(o.entries)
	o.entries = o.entries[:0]
	clear(o.index)
	o.order.Reset()
	o.bytes = 0
}
