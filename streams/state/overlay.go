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

// Overlay holds the writes of one task since its last commit, and as a cache
// what it has read and committed lately: goleveldb's Get is what a stateful
// record costs most. It belongs to the task: one goroutine at a time.
//
// Entries are found by a hash map. Only scans need the written ones in order,
// so a goleveldb memdb of their keys is filled when a scan comes: it holds each
// key once, however often it is updated, and costs plain stores nothing.
type Overlay struct {
	db      *DB // nil: there is nothing beneath
	limit   int // bytes of clean entries to keep
	entries []entry
	index   map[string]int32
	dirty   []int32   // what was written, in the order of first writes
	order   *memdb.DB // the keys of dirty[:ordered]
	ordered int
	bytes   int // of dirty entries
	clean   int // bytes of the others
	stores  []*Store
	key     []byte // scratch
	batch   leveldb.Batch
}

// entry is a key's value as the task sees it.
type entry struct {
	key     string
	value   []byte // stored form; its array is reused by the next update
	store   *Store // of a dirty entry
	deleted bool   // there is no such key
	dirty   bool   // not in the database yet
	logged  bool   // goes to the changelog
}

func (e *entry) size() int { return len(e.key) + len(e.value) + entryOverhead }

// NewOverlay makes an overlay over db, which keeps up to so many bytes of what
// is committed; or over nothing (nil): then everything stays in memory, as the
// test driver wants it.
func NewOverlay(db *DB, cache int) *Overlay {
	return &Overlay{db: db, limit: cache, index: map[string]int32{}, order: memdb.New(comparer.DefaultComparer, 0)}
}

// Bytes is the memory that uncommitted writes hold.
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
	value, ok, err := o.db.get(key)
	if err != nil || o.clean >= o.limit {
		return value, ok, err
	}
	e := o.add(key)
	e.value, e.deleted = value, !ok
	o.clean += e.size()
	return value, ok, nil
}

// add makes an entry for a key that has none.
func (o *Overlay) add(key []byte) *entry {
	i := len(o.entries)
	o.entries = append(o.entries, entry{key: string(key)})
	e := &o.entries[i]
	o.index[e.key] = int32(i)
	return e
}

// set writes a stored form, or with live = false removes the key.
func (o *Overlay) set(s *Store, key []byte, ts int64, value []byte, live, logged bool) {
	i, ok := o.index[string(key)]
	if !ok {
		i = int32(len(o.entries))
		o.add(key)
	}
	e := &o.entries[i]
	switch {
	case e.dirty:
		o.bytes -= e.size()
	case ok:
		o.clean -= e.size()
	}
	if !e.dirty {
		e.dirty, e.store = true, s
		o.dirty = append(o.dirty, i)
	}
	e.value = binary.BigEndian.AppendUint64(e.value[:0], uint64(ts))
	e.value = append(e.value, value...)
	e.deleted = !live
	e.logged = e.logged || logged
	o.bytes += e.size()
}

// sort brings every written key into order, for a scan.
func (o *Overlay) sort() {
	for ; o.ordered < len(o.dirty); o.ordered++ {
		i := o.dirty[o.ordered]
		// memdb.Put has no way to fail.
		_ = o.order.Put([]byte(o.entries[i].key), binary.BigEndian.AppendUint32(nil, uint32(i)))
	}
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
	for _, i := range o.dirty {
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
	for _, i := range o.dirty {
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
	o.keep()
	return nil
}

// keep makes what was written clean, and forgets all if that is too much.
func (o *Overlay) keep() {
	for _, i := range o.dirty {
		e := &o.entries[i]
		e.dirty, e.logged, e.store = false, false, nil
	}
	o.clean += o.bytes
	o.settle()
	if o.clean > o.limit {
		o.forget()
	}
}

// Drop forgets everything since the last Flush.
func (o *Overlay) Drop() {
	o.settle()
	o.forget()
}

// settle leaves nothing written.
func (o *Overlay) settle() {
	o.dirty, o.ordered, o.bytes = o.dirty[:0], 0, 0
	o.order.Reset()
}

// forget empties the cache. The arrays are given up too: one that was filled
// once would stay for good.
func (o *Overlay) forget() {
	o.entries, o.clean = nil, 0
	o.index = map[string]int32{}
}
