package commitlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sort"

	"github.com/millrace-io/millrace/internal/vfs"
)

// Sizes of entries in the index files.
const (
	offsetEntrySize = 8
	timeEntrySize   = 12
)

// offsetEntry points from the last offset of a batch, relative to the
// segment's base, to where that batch begins.
type offsetEntry struct {
	last     int32
	position int32
}

// timeEntry says that up to the offset, relative to the segment's base, no
// timestamp is larger than this one.
type timeEntry struct {
	timestamp int64
	offset    int32
}

// memIndex is the index of a segment in memory.
type memIndex struct {
	offsets *grow[offsetEntry]
	times   *grow[timeEntry]
	// So many of the first entries came from files, and are held against the
	// log when they are used.
	loadedOffsets, loadedTimes int
}

func newMemIndex() *memIndex {
	return &memIndex{offsets: &grow[offsetEntry]{}, times: &grow[timeEntry]{}}
}

// addTime adds an entry if its timestamp is larger than all before: entries
// ascend in both fields.
func (m *memIndex) addTime(e timeEntry) {
	entries := m.times.view()
	if n := len(entries); e.timestamp < 0 || n > 0 && (entries[n-1].timestamp >= e.timestamp || entries[n-1].offset >= e.offset) {
		return
	}
	m.times.append(e)
}

// entries gives random access to a sorted index, in memory or in a file.
type entries[T any] struct {
	n  int
	at func(i int) (T, error)
}

func sliceEntries[T any](list []T) entries[T] {
	return entries[T]{len(list), func(i int) (T, error) { return list[i], nil }}
}

// floorOf returns the last entry of an index in memory that is not after what
// is looked for, and that fits the log. One that was loaded and does not fit
// costs a longer way from the one before it, and nothing else.
func floorOf[T offsetEntry | timeEntry](s *segment, list []T, loaded int, after func(T) bool) (entry T, ok bool) {
	n := sort.Search(len(list), func(i int) bool { return after(list[i]) })
	for n > 0 && n <= loaded && !s.believable(list[n-1]) {
		n--
	}
	if n == 0 {
		return entry, false
	}
	return list[n-1], true
}

// floor returns the last entry that is not after what is looked for.
func (e entries[T]) floor(after func(T) bool) (T, bool, error) {
	var failed error
	i := sort.Search(e.n, func(i int) bool {
		entry, err := e.at(i)
		if err != nil {
			failed = err
			return true
		}
		return after(entry)
	})
	var none T
	if failed != nil || i == 0 {
		return none, false, failed
	}
	entry, err := e.at(i - 1)
	return entry, err == nil, err
}

func fileOffsets(f vfs.File, n int) entries[offsetEntry] {
	return entries[offsetEntry]{n, func(i int) (offsetEntry, error) {
		var b [offsetEntrySize]byte
		_, err := f.ReadAt(b[:], int64(i)*offsetEntrySize)
		return decodeOffset(b[:]), err
	}}
}

func fileTimes(f vfs.File, n int) entries[timeEntry] {
	return entries[timeEntry]{n, func(i int) (timeEntry, error) {
		var b [timeEntrySize]byte
		_, err := f.ReadAt(b[:], int64(i)*timeEntrySize)
		return decodeTime(b[:]), err
	}}
}

func decodeOffset(b []byte) offsetEntry {
	return offsetEntry{int32(binary.BigEndian.Uint32(b)), int32(binary.BigEndian.Uint32(b[4:]))}
}

func decodeTime(b []byte) timeEntry {
	return timeEntry{int64(binary.BigEndian.Uint64(b)), int32(binary.BigEndian.Uint32(b[8:]))}
}

func encodeOffsets(list []offsetEntry) []byte {
	b := make([]byte, 0, len(list)*offsetEntrySize)
	for _, e := range list {
		b = binary.BigEndian.AppendUint32(b, uint32(e.last))
		b = binary.BigEndian.AppendUint32(b, uint32(e.position))
	}
	return b
}

func encodeTimes(list []timeEntry) []byte {
	b := make([]byte, 0, len(list)*timeEntrySize)
	for _, e := range list {
		b = binary.BigEndian.AppendUint64(b, uint64(e.timestamp))
		b = binary.BigEndian.AppendUint32(b, uint32(e.offset))
	}
	return b
}

// errIndex means that an index file cannot be what was written. Indexes are
// caches: it is made anew from the log.
var errIndex = errors.New("index does not fit its log")

// decodeIndex reads both index files of a segment and checks that they could
// belong to a log of this size.
func decodeIndex(offsets, times []byte, size int64) (*memIndex, error) {
	if len(offsets)%offsetEntrySize != 0 || len(times)%timeEntrySize != 0 {
		return nil, fmt.Errorf("%w: %d and %d bytes hold no whole entries", errIndex, len(offsets), len(times))
	}
	offsetList := make([]offsetEntry, 0, len(offsets)/offsetEntrySize)
	last := offsetEntry{-1, -1}
	for ; len(offsets) > 0; offsets = offsets[offsetEntrySize:] {
		e := decodeOffset(offsets)
		if e.last <= last.last || e.position <= last.position || int64(e.position) >= size {
			return nil, fmt.Errorf("%w: entry (%d, %d) follows (%d, %d)", errIndex, e.last, e.position, last.last, last.position)
		}
		offsetList, last = append(offsetList, e), e
	}
	timeList := make([]timeEntry, 0, len(times)/timeEntrySize)
	lastTime := timeEntry{-1, -1}
	for ; len(times) > 0; times = times[timeEntrySize:] {
		e := decodeTime(times)
		if e.timestamp <= lastTime.timestamp || e.offset <= lastTime.offset {
			return nil, fmt.Errorf("%w: time (%d, %d) follows (%d, %d)", errIndex, e.timestamp, e.offset, lastTime.timestamp, lastTime.offset)
		}
		timeList, lastTime = append(timeList, e), e
	}
	return &memIndex{growOf(offsetList), growOf(timeList), len(offsetList), len(timeList)}, nil
}
