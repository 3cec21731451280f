package commitlog

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/millrace-io/millrace/internal/vfs"
)

const epochFile = "leader-epoch-checkpoint"

// EpochStart says at which offset a leader epoch began.
type EpochStart struct {
	Epoch int32
	Start int64
}

// epochs is the leader epoch cache (KIP-101): ascending in epoch and offset,
// and always what the log says (I6). The list is replaced, never changed, so
// readers keep what they hold.
type epochs struct {
	mu   sync.Mutex
	list []EpochStart
	// latest is the last entry's epoch, -1 without: what Append looks at.
	latest atomic.Int32
	// version counts changes, saved is the one in the file.
	version, saved int
}

func (e *epochs) set(list []EpochStart) {
	e.list = list
	e.version++
	latest := int32(-1)
	if n := len(list); n > 0 {
		latest = list[n-1].Epoch
	}
	e.latest.Store(latest)
}

// assign notes that a batch of this epoch lies at offset.
func (e *epochs) assign(epoch int32, offset int64) {
	if epoch < 0 || epoch <= e.latest.Load() {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	list := e.list
	// An epoch that has begun and got no batch ends where the next begins.
	for n := len(list); n > 0 && list[n-1].Start >= offset; n = len(list) {
		list = list[:n-1]
	}
	e.set(append(slices.Clone(list), EpochStart{epoch, offset}))
}

// truncateEnd forgets epochs that begin at end or beyond.
func (e *epochs) truncateEnd(end int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := len(e.list)
	for n > 0 && e.list[n-1].Start >= end {
		n--
	}
	if n < len(e.list) {
		e.set(slices.Clone(e.list[:n]))
	}
}

// truncateStart forgets epochs that end at start or below; the one that holds
// it begins there.
func (e *epochs) truncateStart(start int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for n < len(e.list) && e.list[n].Start <= start {
		n++
	}
	if n == 0 || n == 1 && e.list[0].Start == start {
		return
	}
	list := slices.Clone(e.list[n-1:])
	list[0].Start = start
	e.set(list)
}

func (e *epochs) clear() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.set(nil)
}

func (e *epochs) view() []EpochStart {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.list
}

// BeginEpoch notes that this replica leads from the log's end on.
func (l *Log) BeginEpoch(epoch int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.epochs.assign(epoch, l.end.Load())
}

// LatestEpoch is the newest leader epoch, -1 in a log without.
func (l *Log) LatestEpoch() int32 { return l.epochs.latest.Load() }

// Epochs lists where each leader epoch began. The caller must not change it.
func (l *Log) Epochs() []EpochStart { return l.epochs.view() }

// EpochEnd answers OffsetForLeaderEpoch: the largest epoch that is at most
// the one asked for, and the offset where the next one begins. It is (-1, -1)
// for an epoch that this log does not know yet.
func (l *Log) EpochEnd(epoch int32) (found int32, end int64) {
	list := l.epochs.view()
	n := len(list)
	switch {
	case epoch < 0 || n == 0 || epoch > list[n-1].Epoch:
		return -1, -1
	case epoch == list[n-1].Epoch:
		return epoch, l.end.Load()
	}
	next, _ := slices.BinarySearchFunc(list, epoch, func(e EpochStart, epoch int32) int {
		if e.Epoch > epoch {
			return 1
		}
		return -1
	})
	if next == 0 {
		return epoch, list[0].Start // Older than all that is kept: nothing of it is here.
	}
	return list[next-1].Epoch, list[next].Start
}

// EpochAt returns the leader epoch of the batch at an offset, -1 without.
func (l *Log) EpochAt(offset int64) int32 {
	epoch := int32(-1)
	for _, e := range l.epochs.view() {
		if e.Start > offset {
			break
		}
		epoch = e.Epoch
	}
	return epoch
}

// save writes the file if the cache has changed: a temporary file, its sync,
// the rename, the sync of the directory.
func (e *epochs) save(fsys vfs.FS, dir string) error {
	e.mu.Lock()
	list, version := e.list, e.version
	done := e.saved == version
	e.mu.Unlock()
	if done {
		return nil
	}
	name := path.Join(dir, epochFile)
	if err := vfs.WriteFile(fsys, name, encodeEpochs(list)); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.saved = max(e.saved, version)
	return nil
}

// load reads the file. A missing one is an empty cache.
func (e *epochs) load(fsys vfs.FS, dir string) error {
	b, err := vfs.ReadFile(fsys, path.Join(dir, epochFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	list, err := decodeEpochs(b)
	if err != nil {
		return fmt.Errorf("%s: %w", epochFile, err)
	}
	e.set(list)
	e.saved = e.version
	return nil
}

// encodeEpochs writes Kafka's text format: a version, the number of entries,
// and a line for each.
func encodeEpochs(list []EpochStart) []byte {
	b := fmt.Appendf(nil, "0\n%d\n", len(list))
	for _, e := range list {
		b = fmt.Appendf(b, "%d %d\n", e.Epoch, e.Start)
	}
	return b
}

var errEpochFile = errors.New("not a leader epoch checkpoint")

func decodeEpochs(b []byte) ([]EpochStart, error) {
	lines := bufio.NewScanner(bytes.NewReader(b))
	line := func() string { lines.Scan(); return strings.TrimSpace(lines.Text()) }
	if version := line(); version != "0" {
		return nil, fmt.Errorf("%w: version %q", errEpochFile, version)
	}
	n, err := strconv.Atoi(line())
	if err != nil || n < 0 || n > len(b) {
		return nil, fmt.Errorf("%w: number of entries: %d, %w", errEpochFile, n, err)
	}
	list := make([]EpochStart, 0, n)
	for range n {
		var e EpochStart
		if _, err := fmt.Sscanf(line(), "%d %d", &e.Epoch, &e.Start); err != nil {
			return nil, fmt.Errorf("%w: entry %d: %w", errEpochFile, len(list), err)
		}
		if k := len(list); e.Epoch < 0 || e.Start < 0 || k > 0 && (e.Epoch <= list[k-1].Epoch || e.Start < list[k-1].Start) {
			return nil, fmt.Errorf("%w: entry %d: %d %d is out of order", errEpochFile, k, e.Epoch, e.Start)
		}
		list = append(list, e)
	}
	return list, nil
}

// removeTemporary removes what an interrupted save left.
func removeTemporary(fsys vfs.FS, dir string) {
	_ = fsys.Remove(path.Join(dir, epochFile+vfs.TemporarySuffix))
}
