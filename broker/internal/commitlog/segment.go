package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"sync"
	"sync/atomic"

	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

// Suffixes of a segment's files. What comes after .log is derived from it.
const (
	logSuffix      = ".log"
	indexSuffix    = ".index"
	timeSuffix     = ".timeindex"
	txnSuffix      = ".txnindex"
	snapshotSuffix = ".snapshot"
	deletedSuffix  = ".deleted"
)

// segmentName is a segment's path without suffix.
func segmentName(dir string, base int64) string { return path.Join(dir, fmt.Sprintf("%020d", base)) }

// segment is one file of batches with its indexes. The writer of the log is
// its writer; readers need no lock.
type segment struct {
	fsys  vfs.FS
	files *vfs.FileCache
	base  int64
	path  string // without suffix
	log   *vfs.Handle

	// size is how many bytes of the file hold batches.
	size atomic.Int64
	// mem is the index while the segment is appended to, or after it was made
	// anew; nil when the index files serve.
	mem atomic.Pointer[memIndex]

	// aborted is the index of aborted transactions.
	aborted txnIndex
	// scanned says that recovery has gone over the segment, so that its index
	// of aborted transactions is to be restored. Set before the log is open.
	scanned bool

	// mu guards the fields below; held for moments only.
	mu sync.Mutex
	// largest is the largest timestamp, with the last offset of its batch. It
	// is known for segments that were appended to or scanned.
	largest      Stamp
	largestKnown bool
	// offsetFile and timeFile are the index files, once they were used.
	offsetFile, timeFile *vfs.Handle
	// closed says that the files are closed: their names may be another's.
	closed bool

	// indexWritten says that the index files were written since the log was
	// opened, indexSynced that they are durable.
	indexWritten, indexSynced bool

	// The writer's own.
	first      int64 // timestamp of the first batch; -1 without
	sinceIndex int   // bytes since the last index entry
}

// Stamp is a timestamp, in milliseconds, and the offset that has it.
type Stamp struct {
	Timestamp int64
	Offset    int64
}

var noStamp = Stamp{-1, -1}

func newSegment(fsys vfs.FS, files *vfs.FileCache, dir string, base int64) *segment {
	name := segmentName(dir, base)
	return &segment{fsys: fsys, files: files, base: base, path: name, log: files.Handle(name + logSuffix), largest: noStamp, first: -1}
}

// createSegment makes a new, empty segment that can be appended to.
func createSegment(fsys vfs.FS, files *vfs.FileCache, dir string, base int64) (*segment, error) {
	s := newSegment(fsys, files, dir, base)
	h, err := files.Create(s.path + logSuffix)
	if err != nil {
		return nil, err
	}
	s.log, s.largestKnown = h, true
	s.mem.Store(newMemIndex())
	s.aborted.begin()
	return s, nil
}

// note takes a batch that lies at position into the indexes.
func (s *segment) note(header record.Batch, position int64, interval int) {
	s.mu.Lock()
	if ts := header.MaxTimestamp(); ts > s.largest.Timestamp {
		s.largest = Stamp{ts, header.LastOffset()}
	}
	largest := s.largest
	s.mu.Unlock()
	if position == 0 {
		s.first = header.MaxTimestamp()
	}
	if s.sinceIndex > interval {
		mem := s.mem.Load()
		mem.offsets.append(offsetEntry{int32(header.LastOffset() - s.base), int32(position)})
		mem.addTime(s.timeEntry(largest))
		s.sinceIndex = 0
	}
	s.sinceIndex += header.Size()
}

func (s *segment) timeEntry(at Stamp) timeEntry {
	return timeEntry{at.Timestamp, int32(at.Offset - s.base)}
}

// indexBytes is the larger of the sizes that the index files would have.
func (s *segment) indexBytes() int {
	mem := s.mem.Load()
	if mem == nil {
		return 0
	}
	return max(int(mem.offsets.n.Load())*offsetEntrySize, int(mem.times.n.Load())*timeEntrySize)
}

// writeIndex writes the index files. They are not synced: an index that does
// not fit its log is made anew.
func (s *segment) writeIndex() error {
	mem := s.mem.Load()
	s.mu.Lock()
	largest := s.largest
	s.mu.Unlock()
	mem.addTime(s.timeEntry(largest))
	if err := s.writeFile(indexSuffix, encodeOffsets(mem.offsets.view())); err != nil {
		return err
	}
	if err := s.writeFile(timeSuffix, encodeTimes(mem.times.view())); err != nil {
		return err
	}
	if err := s.writeAborted(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.indexWritten, s.indexSynced = true, false
	return nil
}

func (s *segment) writeFile(suffix string, b []byte) error {
	f, err := s.fsys.OpenFile(s.path+suffix, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, 0)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// begin sets the state of a segment that is about to be gone over.
func (s *segment) begin(largest Stamp) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.largest, s.largestKnown = largest, true
	s.sinceIndex, s.first = 0, -1
}

// freeze lets the index files serve from here on.
func (s *segment) freeze() error {
	if err := s.writeIndex(); err != nil {
		return err
	}
	s.mem.Store(nil)
	return nil
}

// loadIndex brings the index files into memory and checks their shape. The
// entries are held against the log where they are used.
func (s *segment) loadIndex() error {
	offsets, err := vfs.ReadFile(s.fsys, s.path+indexSuffix)
	if err != nil {
		return err
	}
	times, err := vfs.ReadFile(s.fsys, s.path+timeSuffix)
	if err != nil {
		return err
	}
	mem, err := decodeIndex(offsets, times, s.size.Load())
	if err != nil {
		return err
	}
	if list := mem.offsets.view(); len(list) > 0 && !s.batchEnds(list[len(list)-1]) {
		return fmt.Errorf("%w: its last entry", errIndex) // appends go on from there
	}
	s.mem.Store(mem)
	return nil
}

// syncIndexOnce makes the index files durable that were written since the
// log was opened.
func (s *segment) syncIndexOnce() error {
	s.mu.Lock()
	done := s.indexSynced || !s.indexWritten
	s.mu.Unlock()
	if done {
		return nil
	}
	if err := s.syncIndex(); err != nil && !errors.Is(err, fs.ErrNotExist) { // Removed with its segment.
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.indexSynced = true
	return nil
}

// syncIndex makes the index files durable. Offset and time index may be
// missing; the one of aborted transactions is believed by its absence, so its
// name is synced too.
func (s *segment) syncIndex() error {
	suffixes := []string{indexSuffix, timeSuffix}
	if s.aborted.onDisk.Load() {
		suffixes = append(suffixes, txnSuffix)
	}
	for _, suffix := range suffixes {
		f, err := s.fsys.OpenFile(s.path+suffix, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		err = f.Sync()
		if closed := f.Close(); err == nil {
			err = closed
		}
		if err != nil {
			return err
		}
	}
	if len(suffixes) == 3 {
		return s.fsys.SyncDir(path.Dir(s.path))
	}
	return nil
}

// close lets go of the files; readers that hold them finish.
func (s *segment) close() {
	s.log.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, h := range []*vfs.Handle{s.offsetFile, s.timeFile, s.aborted.handle} {
		if h != nil {
			h.Close()
		}
	}
}

// retire renames the files, so that the segment is gone at the next open and
// its names are free; erase then removes them.
func (s *segment) retire() error {
	if err := s.fsys.Rename(s.path+logSuffix, s.path+logSuffix+deletedSuffix); err != nil {
		return err
	}
	s.removeCaches()
	s.close()
	return nil
}

func (s *segment) erase() {
	_ = s.fsys.Remove(s.path + logSuffix + deletedSuffix) // Removed at the next open if it fails here.
}
