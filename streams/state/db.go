package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/syndtr/goleveldb/leveldb"
	ldberrors "github.com/syndtr/goleveldb/leveldb/errors"
	"github.com/syndtr/goleveldb/leveldb/iterator"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/util"
)

// ErrCorrupt is wrapped by every error that says that a database's files are
// damaged. The remedy is Destroy and a restore from the changelog.
var ErrCorrupt = errors.New("state store is corrupt")

// Origin says what Open found.
type Origin uint8

// The ways a database can be found.
const (
	// Created: there was none.
	Created Origin = iota
	// Continued: closed cleanly, or the process died and every batch is whole.
	Continued
	// Trimmed: the process died in the middle of a batch, which was dropped
	// whole, positions included.
	Trimmed
	// Rebuilt: removed and begun anew, for the reason that Why gives.
	Rebuilt
)

func (o Origin) String() string {
	switch o {
	case Created:
		return "created"
	case Continued:
		return "continued"
	case Trimmed:
		return "trimmed"
	case Rebuilt:
		return "rebuilt"
	default:
		return fmt.Sprintf("origin %d", uint8(o))
	}
}

// writeBuffer is goleveldb's journal size; a commit is one batch, and larger
// ones go straight to tables, so little memory is enough.
const writeBuffer = 1 * opt.MiB

// Cache is the memory that all databases of a process share: goleveldb's own
// defaults are per database, and a hundred of them would take 1.6 GiB and
// 50,000 descriptors.
type Cache struct{ blocks, files opt.Cacher }

// NewCache makes a cache of 32 MiB and 512 open files.
func NewCache() *Cache {
	return &Cache{blocks: opt.NewLRU(32 * opt.MiB), files: opt.NewLRU(512)}
}

// DB is the database of one task. Its methods are safe for concurrent use,
// except Close and Destroy.
type DB struct {
	dir    string
	ldb    *leveldb.DB
	origin Origin
	why    string
}

// Open opens the database in dir, or begins one. boot is the machine's boot id
// (see [BootID]); empty counts as a boot of its own.
//
// The mark in the directory says how the last owner left it:
//
//	no mark            closed cleanly                    continue
//	mark, same boot    the process died; the kernel has  continue; a batch torn in the
//	                   everything that was written       middle is dropped whole
//	mark, other boot   the machine may have lost data    remove, rebuild from changelog
//	corrupt            anything else                     remove, rebuild from changelog
func Open(dir, boot string, cache *Cache) (*DB, error) {
	db := &DB{dir: dir}
	left, err := readMark(dir)
	if err != nil {
		return nil, fmt.Errorf("state directory %s: %w", dir, err)
	}
	if left.marked && (boot == "" || left.boot != boot) {
		return db.rebuild(boot, cache, "the machine stopped while it was open")
	}
	db.origin = Continued
	if left.fresh {
		db.origin = Created
	}
	err = db.open(boot, cache, opt.DefaultStrict|opt.StrictJournal)
	if isCorrupt(err) && left.marked {
		// A kill can leave a torn last record, and only strictness about the
		// journal notices: without it the record's batch is dropped whole.
		db.origin = Trimmed
		err = db.open(boot, cache, opt.DefaultStrict)
	}
	if isCorrupt(err) {
		return db.rebuild(boot, cache, err.Error())
	}
	if err != nil {
		return nil, fmt.Errorf("state directory %s: %w", dir, err)
	}
	return db, nil
}

func (db *DB) rebuild(boot string, cache *Cache, why string) (*DB, error) {
	if err := os.RemoveAll(db.dir); err != nil {
		return nil, fmt.Errorf("state directory %s: %w", db.dir, err)
	}
	db.origin, db.why = Rebuilt, why
	if err := db.open(boot, cache, opt.DefaultStrict|opt.StrictJournal); err != nil {
		return nil, fmt.Errorf("state directory %s: %w", db.dir, err)
	}
	return db, nil
}

func (db *DB) open(boot string, cache *Cache, strict opt.Strict) error {
	if err := os.MkdirAll(db.dir, 0o755); err != nil {
		return err
	}
	ldb, err := leveldb.OpenFile(filepath.Join(db.dir, "db"), &opt.Options{
		BlockCacher:     cache.blocks,
		OpenFilesCacher: cache.files,
		WriteBuffer:     writeBuffer,
		NoSync:          true,
		Strict:          strict,
	})
	if err != nil {
		return err
	}
	// Only who holds goleveldb's lock may write the mark.
	if err := writeMark(db.dir, boot); err != nil {
		return errors.Join(err, ldb.Close())
	}
	db.ldb = ldb
	return nil
}

// Origin says what Open found.
func (db *DB) Origin() Origin { return db.origin }

// Why says why the database was rebuilt, else nothing.
func (db *DB) Why() string { return db.why }

// Dir is the database's directory.
func (db *DB) Dir() string { return db.dir }

// Close closes the database and, when all its files are on disk, removes the
// mark.
func (db *DB) Close() error {
	if err := db.ldb.Close(); err != nil {
		return fmt.Errorf("state directory %s: %w", db.dir, err)
	}
	if err := syncTree(db.dir); err != nil {
		return fmt.Errorf("state directory %s: %w", db.dir, err)
	}
	return removeMark(db.dir)
}

// Abandon closes the database and leaves the mark, as a killed process would.
func (db *DB) Abandon() error { return db.ldb.Close() }

// Destroy closes and removes the database.
func (db *DB) Destroy() error {
	return errors.Join(db.ldb.Close(), os.RemoveAll(db.dir))
}

// Reset empties the database: its changelog does not continue it.
func (db *DB) Reset() error {
	batch := new(leveldb.Batch)
	it := db.ldb.NewIterator(nil, nil)
	defer it.Release()
	for it.Next() {
		batch.Delete(it.Key())
		if batch.Len() >= 10_000 {
			if err := db.write(batch); err != nil {
				return err
			}
			batch.Reset()
		}
	}
	if err := it.Error(); err != nil {
		return db.failed(err)
	}
	return db.write(batch)
}

func (db *DB) get(key []byte) ([]byte, bool, error) {
	value, err := db.ldb.Get(key, nil)
	switch {
	case errors.Is(err, leveldb.ErrNotFound):
		return nil, false, nil
	case err != nil:
		return nil, false, db.failed(err)
	default:
		return value, true, nil
	}
}

func (db *DB) iterate(lo, hi []byte) iterator.Iterator {
	return db.ldb.NewIterator(&util.Range{Start: lo, Limit: hi}, nil)
}

func (db *DB) write(batch *leveldb.Batch) error {
	if batch.Len() == 0 {
		return nil
	}
	if err := db.ldb.Write(batch, nil); err != nil {
		return db.failed(err)
	}
	return nil
}

// failed gives an error its place, and its sentinel if the files are damaged.
func (db *DB) failed(err error) error {
	if isCorrupt(err) {
		return fmt.Errorf("%s: %w: %w", db.dir, ErrCorrupt, err)
	}
	return fmt.Errorf("state directory %s: %w", db.dir, err)
}

func isCorrupt(err error) bool {
	return ldberrors.IsCorrupted(err)
}

// storeID gives the number that stands for the store in keys, the next free
// one the first time. It stays the same however the topology is reordered.
func (db *DB) storeID(name string) (uint16, error) {
	key := metaKey("id/", name)
	b, ok, err := db.get(key)
	if err != nil {
		return 0, err
	}
	if ok && len(b) == 2 {
		return binary.BigEndian.Uint16(b), nil
	}
	last := uint16(0)
	it := db.ldb.NewIterator(util.BytesPrefix(metaKey("id/", "")), nil)
	defer it.Release()
	for it.Next() {
		if len(it.Value()) == 2 {
			last = max(last, binary.BigEndian.Uint16(it.Value()))
		}
	}
	if err := it.Error(); err != nil {
		return 0, db.failed(err)
	}
	id := last + 1
	if err := db.ldb.Put(key, binary.BigEndian.AppendUint16(nil, id), nil); err != nil {
		return 0, db.failed(err)
	}
	return id, nil
}

func metaKey(kind, name string) []byte {
	return append([]byte{0, 0}, kind+name...)
}

// syncTree makes everything below dir durable.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return syncPath(path)
	})
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Read gives the committed value of a store's key. Unlike a Store's, its reads
// may be concurrent with the task's work.
func (db *DB) Read(store string, key []byte) (value []byte, ok bool, err error) {
	id, ok, err := db.get(metaKey("id/", store))
	if err != nil || !ok {
		return nil, false, err
	}
	stored, ok, err := db.get(append(id, key...))
	if err != nil || !ok {
		return nil, false, err
	}
	if len(stored) < timeSize {
		return nil, false, fmt.Errorf("%s: store %s: %w: %w", db.dir, store, ErrCorrupt, errShort)
	}
	return stored[timeSize:], true, nil
}
