package commitlog

import (
	"cmp"
	"log/slog"
	"math"
	"time"

	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

// Config is what a topic's configuration says about a log. The zero value
// keeps everything and rolls as Kafka does by default.
type Config struct {
	// SegmentBytes is the size at which a segment is full (segment.bytes);
	// 0 means 1 GiB.
	SegmentBytes int64
	// SegmentAge is the span of record time after which a segment is full
	// (segment.ms); 0 means 7 days.
	SegmentAge time.Duration
	// IndexInterval is how many bytes lie between two entries of an index
	// (index.interval.bytes); 0 means 4 KiB.
	IndexInterval int
	// MaxIndexBytes is the size at which an index, so its segment, is full
	// (segment.index.bytes); 0 means 10 MiB.
	MaxIndexBytes int
	// RetentionAge is how far a segment's largest timestamp may lie back
	// (retention.ms); 0 or less keeps segments of any age.
	RetentionAge time.Duration
	// RetentionBytes bounds the log's size (retention.bytes); 0 or less does
	// not.
	RetentionBytes int64
	// KeepAll keeps segments whatever their age and the log's size
	// (cleanup.policy without delete): in a compacted topic, what has the
	// newest value of a key must not vanish.
	KeepAll bool
	// Compacted says that the log is compacted (cleanup.policy has compact).
	// Where Kafka has done it, offsets may lack between two segments.
	Compacted bool
}

func (c Config) withDefaults() Config {
	c.SegmentBytes = min(cmp.Or(c.SegmentBytes, 1<<30), maxSegmentBytes)
	c.SegmentAge = cmp.Or(c.SegmentAge, 7*24*time.Hour)
	c.IndexInterval = cmp.Or(c.IndexInterval, 4<<10)
	c.MaxIndexBytes = cmp.Or(c.MaxIndexBytes, 10<<20)
	return c
}

// maxSegmentBytes is the most that an index can address: positions are int32.
const maxSegmentBytes = math.MaxInt32

// UnknownRecoveryPoint is that of a log whose recovery point was stored and
// cannot be read any more. It is not 0, that of a log of which nothing was
// synced yet: there, what lacks was lost.
const UnknownRecoveryPoint = -1

// OpenOptions is what the owner of a log knows when opening it.
type OpenOptions struct {
	// Clean says that the log was closed in order: nothing is scanned but the
	// tail of the last segment.
	Clean bool
	// RecoveryPoint is the offset below which everything was synced. Without
	// Clean the segments that reach beyond it are scanned.
	//
	// It may be UnknownRecoveryPoint: everything is scanned, and offsets that
	// lack are taken for the work of compaction.
	RecoveryPoint int64
	// LogStart is the first offset that may be read. A log that does not
	// exist yet begins there.
	LogStart int64
	// OnBatch, if set, is given every batch from Replay on, in order: those
	// that recovery scans and, before them, those it would not have to. The
	// batch is valid during the call. Its error fails Open.
	OnBatch func(record.Batch) error
	// Replay is the first offset that OnBatch wants.
	Replay int64
	// Rolled, if set, is called in Append and Roll when a segment begins at
	// this offset, before anything is appended to it: the place to snapshot
	// what was derived from the log.
	Rolled func(offset int64)
	// Removed, if set, is called after the segment that began at this offset
	// is gone, for files of others that go with it.
	Removed func(base int64)
	// Pagecache says that nobody will flush this log as a matter of course,
	// so files are not kept open until their next sync.
	Pagecache bool
	// Files bounds open files; without it they stay open.
	Files *vfs.FileCache
	// Logger is told what recovery finds; nothing without it.
	Logger *slog.Logger
}

func (o OpenOptions) withDefaults(fs vfs.FS) OpenOptions {
	if o.Files == nil {
		o.Files = vfs.NewFileCache(fs, 0)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Rolled == nil {
		o.Rolled = func(int64) {}
	}
	if o.Removed == nil {
		o.Removed = func(int64) {}
	}
	o.LogStart = max(o.LogStart, 0)
	return o
}
