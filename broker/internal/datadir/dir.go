package datadir

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/millrace-io/millrace/broker/internal/commitlog"
	"github.com/millrace-io/millrace/internal/vfs"
)

const (
	lockFile  = ".lock"
	cleanFile = ".kafka_cleanshutdown"
)

// Options is what a broker knows of its data directory. The zero value is
// for node 0.
type Options struct {
	// NodeID is the broker's id. A directory of another node is refused.
	NodeID int32
	// OpenFiles bounds how many files are open; 0 takes 60 % of what the
	// process may open.
	OpenFiles int
	// RetentionInterval is how often retention is looked at; 0 means five
	// minutes (log.retention.check.interval.ms).
	RetentionInterval time.Duration
	// Cleaner is how compacted logs are compacted.
	Cleaner CleanerOptions
	// NewID makes the directory's id at its first use, 16 random bytes in
	// URL-safe base64 when nil.
	NewID func() string
	// Offline is called once when a flush has failed, after the partitions
	// were told.
	Offline func(error)
	// Flushed is told how long each sync took, also of those that failed; nil
	// when nobody wants to know. It must not block.
	Flushed func(time.Duration)
	// Logger is told what an operator should know; nothing without it.
	Logger *slog.Logger
}

// Dir is a data directory in use.
type Dir struct {
	// Flusher flushes the partitions of this directory.
	Flusher *Flusher

	fs      vfs.FS
	root    string
	options Options
	logger  *slog.Logger
	lock    io.Closer
	files   *vfs.FileCache
	clean   bool
	meta    Meta

	// writing is held by who writes the checkpoint files. It comes before mu.
	writing sync.Mutex

	cleaning cleaning

	// mu guards the checkpoints and the entries.
	mu    sync.Mutex
	marks map[string]mark // by the name of the partition's directory
	// stored are the recovery points in the file, unknown says that it was lost.
	stored  map[string]int64
	unknown bool
	entries map[*Entry]struct{}
	written [checkpoints]string // the contents of the checkpoint files, by this process
	changed bool                // something may differ from the files
	stale   bool                // the files may hold marks that were dropped
	wake    chan struct{}       // for Run: changed was set
	aging   aging
	sooner  chan struct{} // for Run: another entry is the first of the aging
}

// mark is what the checkpoints say about one partition; -1 where they say
// nothing.
type mark struct{ recoveryPoint, logStart, highWatermark, cleaned int64 }

var noMark = mark{-1, -1, -1, -1}

// Open takes a data directory into use, and makes it where there is none.
func Open(fsys vfs.FS, root string, opts Options) (*Dir, error) {
	opts.RetentionInterval = cmp.Or(opts.RetentionInterval, 5*time.Minute)
	if opts.NewID == nil {
		opts.NewID = newID
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	d := &Dir{
		fs: fsys, root: root, options: opts, logger: opts.Logger.With("dir", root),
		files:   vfs.NewFileCache(fsys, cmp.Or(opts.OpenFiles, openFileLimit())),
		entries: map[*Entry]struct{}{}, stored: map[string]int64{}, wake: make(chan struct{}, 1), sooner: make(chan struct{}, 1),
	}
	d.Flusher = newFlusher(d)
	if err := vfs.MkdirDurable(fsys, root); err != nil {
		return nil, fmt.Errorf("make data directory %s: %w; choose one that this user may write", root, err)
	}
	lock, err := fsys.Lock(path.Join(root, lockFile))
	if errors.Is(err, vfs.ErrLocked) {
		return nil, fmt.Errorf("%w: %s is locked by another process; stop it, or choose another directory", ErrInUse, root)
	}
	if err != nil {
		return nil, fmt.Errorf("lock data directory %s: %w; choose one that this user may write", root, err)
	}
	d.lock = lock
	if err := d.start(); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("data directory %s: %w", root, err)
	}
	return d, nil
}

// newID draws an id in the form of Kafka's uuids.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // Never fails: crypto/rand ends the process instead.
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func (d *Dir) start() error {
	var err error
	if d.clean, err = d.takeMarker(); err != nil {
		return err
	}
	if d.meta, err = d.identify(); err != nil {
		return err
	}
	if d.marks, err = d.readCheckpoints(); err != nil {
		return err
	}
	for name, m := range d.marks {
		d.stored[name] = m.recoveryPoint
	}
	if err := d.sweep(); err != nil {
		return err
	}
	d.Flusher.useWholeSync()
	return d.fs.SyncDir(d.root)
}

// takeMarker reports whether the last stop was clean, and removes the mark of
// it, durably.
func (d *Dir) takeMarker() (clean bool, err error) {
	name := path.Join(d.root, cleanFile)
	if _, err := d.fs.Stat(name); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	if err := d.fs.Remove(name); err != nil {
		return false, err
	}
	return true, d.fs.SyncDir(d.root)
}

// sweep removes directories whose removal was interrupted.
func (d *Dir) sweep() error {
	entries, err := d.fs.ReadDir(d.root)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() && commitlog.IsDeleted(e.Name()) {
			if err := d.fs.RemoveAll(path.Join(d.root, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close gives the directory back. With clean, every log in it must have been
// closed without an error: the next start then scans nothing.
func (d *Dir) Close(clean bool) error {
	err := d.Flusher.Err()
	if err == nil && clean {
		err = d.markClean()
	}
	return errors.Join(err, d.lock.Close())
}

// markClean writes the last checkpoints and then the marker, which is the
// last thing written.
func (d *Dir) markClean() error {
	if err := d.Checkpoint(); err != nil {
		return err
	}
	return vfs.WriteFile(d.fs, path.Join(d.root, cleanFile), []byte(`{"version":0,"brokerEpoch":-1}`))
}

// Root is the directory's path.
func (d *Dir) Root() string { return d.root }

// Clean reports whether the last stop was in order.
func (d *Dir) Clean() bool { return d.clean }

// Files bounds the open files of all logs in the directory.
func (d *Dir) Files() *vfs.FileCache { return d.files }

// FS is the filesystem that holds the directory.
func (d *Dir) FS() vfs.FS { return d.fs }

// Found is what a start knows about a partition's log.
type Found struct {
	// Path is the log's directory, which need not be there yet.
	Path string
	// Clean says that the log was closed in order.
	Clean bool
	// RecoveryPoint is where a scan begins; 0 for a log of which nothing was
	// synced yet, commitlog.UnknownRecoveryPoint where the checkpoint is lost.
	RecoveryPoint int64
	// LogStart is the first offset, 0 when nothing is known.
	LogStart int64
	// HighWatermark is -1 when nothing is known.
	HighWatermark int64
}

// Partition says where the log of a partition lies and what the checkpoints
// know of it.
func (d *Dir) Partition(topic string, partition int32) Found {
	name := LogName(topic, partition)
	d.mu.Lock()
	m, ok := d.marks[name]
	d.mu.Unlock()
	if !ok {
		m = noMark
	}
	recoveryPoint := m.recoveryPoint
	if recoveryPoint < 0 {
		recoveryPoint = 0
		if d.unknown {
			recoveryPoint = commitlog.UnknownRecoveryPoint
		}
	}
	return Found{
		Path: path.Join(d.root, name), Clean: d.clean,
		RecoveryPoint: recoveryPoint, LogStart: max(m.logStart, 0), HighWatermark: m.highWatermark,
	}
}

// LogName is the name of a partition's directory.
func LogName(topic string, partition int32) string {
	return topic + "-" + strconv.Itoa(int(partition))
}

// ParseLogName takes the name of a partition's directory apart.
func ParseLogName(name string) (topic string, partition int32, ok bool) {
	i := strings.LastIndexByte(name, '-')
	if i < 1 {
		return "", 0, false
	}
	n, err := strconv.ParseInt(name[i+1:], 10, 32)
	if err != nil || n < 0 || LogName(name[:i], int32(n)) != name {
		return "", 0, false
	}
	return name[:i], int32(n), true
}

// LogNames lists the partitions that have a directory here.
func (d *Dir) LogNames() ([]string, error) {
	entries, err := d.fs.ReadDir(d.root)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if _, _, ok := ParseLogName(e.Name()); ok && e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// strayDirSuffix ends the name of a directory that belongs to no partition of
// the cluster. It is never opened, and never deleted by itself.
const strayDirSuffix = "-stray"

// Stray sets a partition's directory aside: its topic is not the cluster's.
func (d *Dir) Stray(name string) (to string, err error) {
	for n := 0; ; n++ {
		to = name + strayDirSuffix
		if n > 0 {
			to = fmt.Sprintf("%s.%d%s", name, n, strayDirSuffix)
		}
		if _, err := d.fs.Stat(path.Join(d.root, to)); errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			return "", err
		}
	}
	if err := d.fs.Rename(path.Join(d.root, name), path.Join(d.root, to)); err != nil {
		return "", err
	}
	d.forget(name)
	d.logger.Warn("a partition's directory belongs to no topic of the cluster and was set aside", "from", name, "to", to)
	return to, d.fs.SyncDir(d.root)
}

func (d *Dir) forget(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.marks, name)
	delete(d.stored, name)
	d.stale = true
	d.setChanged()
}
