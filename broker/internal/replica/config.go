package replica

import (
	"math"
	"time"

	"github.com/millrace-io/millrace/broker/internal/cleaner"
	"github.com/millrace-io/millrace/broker/internal/commitlog"
	"github.com/millrace-io/millrace/internal/kafkaconf"
	"github.com/millrace-io/millrace/internal/record"
)

// Config is what a topic's configuration says to its replicas.
type Config struct {
	Log commitlog.Config
	// Delete lets records go by age, size and request (cleanup.policy has
	// delete).
	Delete bool
	// MaxMessageBytes bounds one batch (max.message.bytes); 0 does not.
	MaxMessageBytes int
	// AppendTime makes the time of the append the timestamp of every record
	// (message.timestamp.type=LogAppendTime).
	AppendTime bool
	// Timestamps bounds the timestamps of clients' records; nil does not. It
	// is of no effect with AppendTime.
	Timestamps *TimestampBounds
	// Compression is the codec that batches are stored in; nil keeps each
	// producer's own (compression.type=producer).
	Compression *Recompression
	// Compact keeps the newest record of each key (cleanup.policy has
	// compact), so that records without keys are refused.
	Compact bool
	// Cleaning rules how a compacted log is compacted.
	Cleaning cleaner.Policy
	// ValidateRecords opens compressed batches to check their records
	// (validate.records=full).
	ValidateRecords bool
	// PageCache lets the high watermark follow the log's end instead of what
	// is flushed (durability=pagecache).
	PageCache bool
	// FlushMessages and FlushAge have the log flushed, with PageCache, after
	// that many records or when the oldest unflushed one has that age
	// (flush.messages, flush.ms). Nothing waits for it. 0 means never.
	FlushMessages int64
	FlushAge      time.Duration
	// MinISR is min.insync.replicas.
	MinISR int
}

// ConfigOf takes from a topic's configuration what concerns its replicas.
func ConfigOf(t kafkaconf.Topic) Config {
	log := commitlog.Config{
		SegmentBytes: t.Log.SegmentBytes, SegmentAge: t.Log.SegmentAge,
		IndexInterval: t.Log.IndexInterval, MaxIndexBytes: t.Log.IndexBytes,
		RetentionAge: t.Log.RetentionAge, RetentionBytes: t.Log.RetentionBytes,
		KeepAll: !t.Delete, Compacted: t.Compact,
	}
	return Config{
		Log: log, Delete: t.Delete, MaxMessageBytes: t.MaxMessageBytes, AppendTime: t.Timestamp.AppendTime,
		PageCache: t.PageCache, FlushMessages: t.FlushMessages, FlushAge: flushAgeOf(t.FlushAge), MinISR: t.MinInsync,
		Timestamps:  &TimestampBounds{Before: t.Timestamp.BeforeMax, After: t.Timestamp.AfterMax},
		Compression: recompressionOf(t.Compression), Compact: t.Compact, ValidateRecords: t.ValidateRecords,
		Cleaning: cleaner.Policy{
			MinDirtyRatio: t.Clean.MinDirtyRatio, MinLag: t.Clean.MinLag, MaxLag: t.Clean.MaxLag, DeleteRetention: t.Clean.DeleteRetention,
		},
	}
}

// flushAgeOf is 0 for what no record can reach. With flush.ms=0 a record is
// too old as soon as it is there.
func flushAgeOf(age time.Duration) time.Duration {
	if age == math.MaxInt64 {
		return 0
	}
	return max(age, 1)
}

// recompressionOf is nil for the producer's own codec.
func recompressionOf(c kafkaconf.TopicCompression) *Recompression {
	switch c.Type {
	case "uncompressed":
		return &Recompression{Codec: record.None, Level: record.DefaultLevel}
	case "gzip":
		return &Recompression{Codec: record.Gzip, Level: c.GzipLevel}
	case "snappy":
		return &Recompression{Codec: record.Snappy, Level: record.DefaultLevel}
	case "lz4":
		return &Recompression{Codec: record.LZ4, Level: c.LZ4Level}
	case "zstd":
		return &Recompression{Codec: record.Zstd, Level: c.ZstdLevel}
	}
	return nil
}
