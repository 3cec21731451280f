package replica

import (
	"github.com/millrace-io/millrace/broker/internal/commitlog"
	"github.com/millrace-io/millrace/internal/kafkaconf"
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
	// PageCache lets the high watermark follow the log's end instead of what
	// is flushed (durability=pagecache).
	PageCache bool
	// MinISR is min.insync.replicas.
	MinISR int
}

// ConfigOf takes from a topic's configuration what concerns its replicas.
func ConfigOf(t kafkaconf.Topic) Config {
	log := commitlog.Config{
		SegmentBytes: t.Log.SegmentBytes, SegmentAge: t.Log.SegmentAge,
		IndexInterval: t.Log.IndexInterval, MaxIndexBytes: t.Log.IndexBytes,
		RetentionAge: t.Log.RetentionAge, RetentionBytes: t.Log.RetentionBytes,
		Compacted: !t.Delete, // compact,delete loses old segments too
	}
	return Config{
		Log: log, Delete: t.Delete, MaxMessageBytes: t.MaxMessageBytes, AppendTime: t.Timestamp.AppendTime,
		PageCache: t.PageCache, MinISR: t.MinInsync,
	}
}
