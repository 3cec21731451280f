package commitlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"sort"
	"sync/atomic"

	"github.com/millrace-io/millrace/internal/vfs"
)

// AbortedTxn is an aborted transaction, in the index of the segment that holds
// its marker. A consumer under read_committed drops its records by it.
type AbortedTxn struct {
	ProducerID int64
	// FirstOffset is that of the transaction's first batch here, LastOffset
	// that of its marker.
	FirstOffset, LastOffset int64
	// LastStable is the last stable offset that the marker leads to once it is
	// committed. No transaction that ends later begins below it, so a search
	// that has come to it is over.
	LastStable int64
}

// txnEntrySize is the size of an entry in a .txnindex file: a version, 0, and
// the four numbers.
const (
	txnVersion   = 0
	txnEntrySize = 2 + 4*8
)

// txnIndex lists the aborted transactions of a segment, in the order of their
// markers. Segments without any have no file, as in Kafka.
type txnIndex struct {
	// list is the index while the segment is appended to, or until what a scan
	// could not know was restored; nil when the file serves.
	list atomic.Pointer[grow[AbortedTxn]]
	// onDisk says that there is a file.
	onDisk atomic.Bool
	handle *vfs.Handle // once it was used; guarded by the segment's mu
}

func (x *txnIndex) begin() { x.list.Store(&grow[AbortedTxn]{}) }

// note adds an entry, unless it is there already.
func (x *txnIndex) note(t AbortedTxn) {
	list := x.list.Load()
	if list == nil {
		return
	}
	if have := list.view(); len(have) == 0 || have[len(have)-1].LastOffset < t.LastOffset {
		list.append(t)
	}
}

// below returns the entries whose markers lie below an offset.
func (x *txnIndex) below(end int64) *grow[AbortedTxn] {
	list := x.list.Load().view()
	n := sort.Search(len(list), func(i int) bool { return list[i].LastOffset >= end })
	return growOf(append([]AbortedTxn(nil), list[:n]...))
}

// noteAborted lists those of the transactions whose markers lie below an end,
// and returns the others.
func (s *segment) noteAborted(txns []AbortedTxn, end int64) []AbortedTxn {
	for len(txns) > 0 && txns[0].LastOffset < end {
		s.aborted.note(txns[0])
		txns = txns[1:]
	}
	return txns
}

// writeAborted writes the file if there is something to say, or one that says
// something else.
func (s *segment) writeAborted() error {
	list := s.aborted.list.Load()
	if list == nil || list.n.Load() == 0 && !s.aborted.onDisk.Load() {
		return nil
	}
	s.aborted.onDisk.Store(true)
	return s.writeFile(txnSuffix, encodeAborted(list.view()))
}

// loadAborted brings the file into memory and checks it whole. Markers lie
// below end.
func (s *segment) loadAborted(end int64) error {
	var list []AbortedTxn
	if s.aborted.onDisk.Load() {
		b, err := vfs.ReadFile(s.fsys, s.path+txnSuffix)
		if err != nil {
			return err
		}
		if list, err = decodeAborted(b, s.base, end); err != nil {
			return err
		}
	}
	s.aborted.list.Store(growOf(list))
	return nil
}

// appendAborted adds the transactions that overlap the offsets from from up to,
// not including, to. done says that no later one does.
func (s *segment) appendAborted(dst []AbortedTxn, from, to int64) (_ []AbortedTxn, done bool, err error) {
	if list := s.aborted.list.Load(); list != nil {
		dst, done = overlapping(dst, list.view(), from, to)
		return dst, done, nil
	}
	if !s.aborted.onDisk.Load() {
		return dst, false, nil
	}
	list, err := s.coldAborted(from)
	if err != nil {
		return dst, false, err
	}
	dst, done = overlapping(dst, list, from, to)
	return dst, done, nil
}

func overlapping(dst, list []AbortedTxn, from, to int64) (_ []AbortedTxn, done bool) {
	n := sort.Search(len(list), func(i int) bool { return list[i].LastOffset >= from })
	for _, t := range list[n:] {
		if t.FirstOffset < to {
			dst = append(dst, t)
		}
		if t.LastStable >= to {
			return dst, true
		}
	}
	return dst, false
}

// coldAborted reads the entries of the file whose markers lie at an offset or
// behind it.
func (s *segment) coldAborted(from int64) ([]AbortedTxn, error) {
	h, err := s.indexHandle(&s.aborted.handle, txnSuffix)
	if err != nil {
		return nil, err
	}
	f, err := h.Acquire()
	if err != nil {
		return nil, err
	}
	defer h.Release()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	var entry [txnEntrySize]byte
	n := sort.Search(int(size/txnEntrySize), func(i int) bool {
		_, failed := f.ReadAt(entry[:], int64(i)*txnEntrySize)
		if failed != nil && !errors.Is(failed, io.EOF) {
			err = failed
		}
		return err != nil || entryOf(entry[:]).LastOffset >= from
	})
	if err != nil {
		return nil, err
	}
	rest := make([]byte, size-int64(n)*txnEntrySize)
	if read, err := f.ReadAt(rest, int64(n)*txnEntrySize); read < len(rest) {
		return nil, fmt.Errorf("%s: read %d of %d bytes: %w", f.Name(), read, len(rest), err)
	}
	return decodeAborted(rest, s.base, s.base+maxRelative+1)
}

func encodeAborted(list []AbortedTxn) []byte {
	be := binary.BigEndian
	b := make([]byte, 0, len(list)*txnEntrySize)
	for _, t := range list {
		b = be.AppendUint16(b, txnVersion)
		b = be.AppendUint64(b, uint64(t.ProducerID))
		b = be.AppendUint64(b, uint64(t.FirstOffset))
		b = be.AppendUint64(b, uint64(t.LastOffset))
		b = be.AppendUint64(b, uint64(t.LastStable))
	}
	return b
}

func entryOf(b []byte) AbortedTxn {
	at := func(i int) int64 { return int64(binary.BigEndian.Uint64(b[2+8*i:])) }
	return AbortedTxn{at(0), at(1), at(2), at(3)}
}

// decodeAborted reads a .txnindex file and checks that it could belong to a
// segment that holds the offsets from base up to, not including, end.
func decodeAborted(b []byte, base, end int64) ([]AbortedTxn, error) {
	if len(b)%txnEntrySize != 0 {
		return nil, fmt.Errorf("%w: %d bytes hold no whole entries", errIndex, len(b))
	}
	list := make([]AbortedTxn, 0, len(b)/txnEntrySize)
	last := AbortedTxn{LastOffset: base - 1}
	for ; len(b) > 0; b = b[txnEntrySize:] {
		t := entryOf(b)
		if v := binary.BigEndian.Uint16(b); v != txnVersion {
			return nil, fmt.Errorf("%w: aborted transaction of version %d", errIndex, v)
		}
		if t.FirstOffset < 0 || t.LastOffset <= t.FirstOffset || t.LastOffset <= last.LastOffset || t.LastOffset >= end || t.LastStable < last.LastStable {
			return nil, fmt.Errorf("%w: aborted transaction %+v follows %+v", errIndex, t, last)
		}
		list, last = append(list, t), t
	}
	return list, nil
}

// Aborted appends to dst the aborted transactions that overlap the offsets
// from from up to, not including, to: those whose marker lies at from or
// behind it, and that begin below to.
func (l *Log) Aborted(dst []AbortedTxn, from, to int64) ([]AbortedTxn, error) {
	for {
		segments := l.segments.Load()
		list, err := abortedIn(segmentOf(*segments, from), dst, from, to)
		if !l.moved(segments, err) {
			return list, err
		}
	}
}

func abortedIn(segments []*segment, dst []AbortedTxn, from, to int64) ([]AbortedTxn, error) {
	for _, s := range segments {
		var done bool
		var err error
		dst, done, err = s.appendAborted(dst, from, to)
		if err != nil || done {
			return dst, err
		}
	}
	return dst, nil
}

// AbortedFrom is the offset from which on Open knows of no aborted
// transaction, because only who knows producers can find them: the caller goes
// over the batches from there on, says what it finds by RestoreAborted, and
// ends with AbortedRestored. It is the log's end where nothing is missing.
func (l *Log) AbortedFrom() int64 { return l.abortedFrom }

// RestoreAborted lists a transaction whose marker was found in the log. One
// that is listed already is not doubled. It comes before the first Append.
func (l *Log) RestoreAborted(t AbortedTxn) {
	if segments := segmentOf(l.segmentList(), t.LastOffset); len(segments) > 0 {
		segments[0].aborted.note(t)
	}
}

// AbortedRestored writes down what was restored.
func (l *Log) AbortedRestored() error {
	segments := l.segmentList()
	for _, s := range segments[:len(segments)-1] {
		if s.aborted.list.Load() == nil {
			continue
		}
		if err := s.writeAborted(); err != nil {
			return err
		}
		s.mu.Lock()
		s.indexWritten, s.indexSynced = true, false
		s.mu.Unlock()
		s.aborted.list.Store(nil)
	}
	l.abortedFrom = l.End()
	return nil
}

// checkAborted looks at the indexes of segments that were not scanned.
func (l *Log) checkAborted() {
	segments := l.segmentList()
	l.abortedFrom = l.End()
	for i := len(segments) - 1; i >= 0; i-- {
		s, end := segments[i], l.End()
		if i+1 < len(segments) {
			end = segments[i+1].base
		}
		switch {
		case s.scanned:
			l.abortedFrom = s.base
		case s.aborted.list.Load() != nil: // The active one, as a stop in order has left it.
		default:
			if err := s.loadAborted(end); err != nil {
				l.logger.Warn("aborted transactions are read from the log, their index is damaged", "file", path.Base(s.path)+txnSuffix, "error", err)
				s.aborted.begin()
				l.abortedFrom = s.base
				continue
			}
			s.aborted.list.Store(nil)
		}
	}
}
