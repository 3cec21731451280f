package kafkaconf

import (
	"math"
	"time"
)

// Topic is what the configs of one topic come to, for those that act on every
// batch and cannot look up text. Ages below zero mean "no limit", and so does
// a RetentionBytes below zero.
type Topic struct {
	Log       TopicLog
	Compact   bool // cleanup.policy has compact
	Delete    bool // cleanup.policy has delete
	Clean     TopicCleaning
	Timestamp TopicTimestamps

	MaxMessageBytes int
	Compression     TopicCompression
	MinInsync       int
	UncleanElection bool
	// PageCache is durability=pagecache: the high watermark follows the log
	// end, not the flushed end.
	PageCache bool
	// ValidateRecords is the broker config validate.records=full.
	ValidateRecords bool
	// FlushMessages and FlushAge act with PageCache only.
	FlushMessages int64
	FlushAge      time.Duration
}

// TopicLog is the shape of a topic's logs.
type TopicLog struct {
	SegmentBytes   int64
	SegmentAge     time.Duration
	SegmentJitter  time.Duration
	IndexInterval  int // bytes of log between index entries
	IndexBytes     int
	RetentionAge   time.Duration
	RetentionBytes int64
	DeleteDelay    time.Duration
}

// TopicCleaning rules the compaction of a topic.
type TopicCleaning struct {
	MinDirtyRatio   float64
	MinLag          time.Duration
	MaxLag          time.Duration
	DeleteRetention time.Duration
}

// TopicCompression rules how batches are stored.
type TopicCompression struct {
	Type                           string // producer, or a codec by name
	GzipLevel, LZ4Level, ZstdLevel int
}

// TopicTimestamps rules the timestamps of records.
type TopicTimestamps struct {
	// AppendTime is message.timestamp.type=LogAppendTime.
	AppendTime bool
	// BeforeMax and AfterMax bound the distance from the broker's clock.
	BeforeMax time.Duration
	AfterMax  time.Duration
}

// TopicConfig resolves every config of a topic.
func (l Layers) TopicConfig() Topic {
	num := func(name string) int64 { return l.value(TopicScope, name).Int }
	age := func(name string) time.Duration { return l.value(TopicScope, name).Milliseconds() }
	t := Topic{
		Log: TopicLog{
			SegmentBytes:   num("segment.bytes"),
			SegmentAge:     age("segment.ms"),
			SegmentJitter:  age("segment.jitter.ms"),
			IndexInterval:  int(num("index.interval.bytes")),
			IndexBytes:     int(num("segment.index.bytes")),
			RetentionAge:   age("retention.ms"),
			RetentionBytes: num("retention.bytes"),
			DeleteDelay:    age("file.delete.delay.ms"),
		},
		Clean: TopicCleaning{
			MinDirtyRatio:   l.value(TopicScope, "min.cleanable.dirty.ratio").Float,
			MinLag:          age("min.compaction.lag.ms"),
			MaxLag:          age("max.compaction.lag.ms"),
			DeleteRetention: age("delete.retention.ms"),
		},
		Timestamp: TopicTimestamps{
			AppendTime: l.value(TopicScope, "message.timestamp.type").Text == "LogAppendTime",
			BeforeMax:  age("message.timestamp.before.max.ms"),
			AfterMax:   age("message.timestamp.after.max.ms"),
		},
		MaxMessageBytes: int(num("max.message.bytes")),
		Compression: TopicCompression{
			Type:      l.value(TopicScope, "compression.type").Text,
			GzipLevel: int(num("compression.gzip.level")),
			LZ4Level:  int(num("compression.lz4.level")),
			ZstdLevel: int(num("compression.zstd.level")),
		},
		MinInsync:       int(num("min.insync.replicas")),
		UncleanElection: l.value(TopicScope, "unclean.leader.election.enable").Bool,
		PageCache:       l.value(TopicScope, "durability").Text == pagecache,
		ValidateRecords: l.BrokerValue("validate.records").Text == "full",
		FlushMessages:   num("flush.messages"),
		FlushAge:        age("flush.ms"),
	}
	if small := num("internal.segment.bytes"); small > 0 {
		t.Log.SegmentBytes = small
	}
	for _, policy := range l.value(TopicScope, "cleanup.policy").List {
		t.Compact = t.Compact || policy == "compact"
		t.Delete = t.Delete || policy == "delete"
	}
	return t
}

// Storage is what the broker configs of the data directory come to.
type Storage struct {
	RetentionInterval time.Duration
	CleanerBackoff    time.Duration
	CleanerKeyBytes   int
	// CleanerBytesPerSecond is 0 for no limit.
	CleanerBytesPerSecond float64
}

// StorageConfig resolves the broker configs of the data directory.
func (l Layers) StorageConfig() Storage {
	s := Storage{
		RetentionInterval:     l.BrokerValue("log.retention.check.interval.ms").Milliseconds(),
		CleanerBackoff:        l.BrokerValue("log.cleaner.backoff.ms").Milliseconds(),
		CleanerKeyBytes:       int(l.BrokerValue("log.cleaner.dedupe.buffer.size").Int),
		CleanerBytesPerSecond: l.BrokerValue("log.cleaner.io.max.bytes.per.second").Float,
	}
	if s.CleanerBytesPerSecond >= math.MaxFloat64 {
		s.CleanerBytesPerSecond = 0
	}
	return s
}

// Groups is what the broker configs of classic groups and offsets come to.
type Groups struct {
	MinSessionTimeout     time.Duration
	MaxSessionTimeout     time.Duration
	InitialRebalanceDelay time.Duration
	MaxSize               int
	OffsetMetadataMax     int // bytes
	OffsetsRetention      time.Duration
	OffsetsCheckInterval  time.Duration
	OffsetsPartitions     int
	OffsetsReplicas       int
	OffsetsSegmentBytes   int64
}

// GroupConfig resolves the broker configs of classic groups and offsets.
func (l Layers) GroupConfig() Groups {
	num := func(name string) int64 { return l.BrokerValue(name).Int }
	age := func(name string) time.Duration { return l.BrokerValue(name).Milliseconds() }
	return Groups{
		MinSessionTimeout:     age("group.min.session.timeout.ms"),
		MaxSessionTimeout:     age("group.max.session.timeout.ms"),
		InitialRebalanceDelay: age("group.initial.rebalance.delay.ms"),
		MaxSize:               int(num("group.max.size")),
		OffsetMetadataMax:     int(num("offset.metadata.max.bytes")),
		OffsetsRetention:      time.Duration(num("offsets.retention.minutes")) * time.Minute,
		OffsetsCheckInterval:  age("offsets.retention.check.interval.ms"),
		OffsetsPartitions:     int(num("offsets.topic.num.partitions")),
		OffsetsReplicas:       int(num("offsets.topic.replication.factor")),
		OffsetsSegmentBytes:   num("offsets.topic.segment.bytes"),
	}
}

// ConsumerGroups is what the broker configs of groups of the consumer protocol
// (KIP-848) come to.
type ConsumerGroups struct {
	MaxSize   int
	Assignors []string // the default one first
	// Upgrade and Downgrade are group.consumer.migration.policy.
	Upgrade   bool
	Downgrade bool
}

// ConsumerGroupConfig resolves the broker configs of groups of the consumer
// protocol.
func (l Layers) ConsumerGroupConfig() ConsumerGroups {
	policy := l.BrokerValue("group.consumer.migration.policy").Text
	return ConsumerGroups{
		MaxSize:   int(l.BrokerValue("group.consumer.max.size").Int),
		Assignors: l.BrokerValue("group.consumer.assignors").List,
		Upgrade:   policy == "bidirectional" || policy == "upgrade",
		Downgrade: policy == "bidirectional" || policy == "downgrade",
	}
}

// GroupTiming resolves the intervals of one group of the consumer protocol: its
// own within the broker's bounds, else the broker's.
func (l Layers) GroupTiming() (heartbeat, session time.Duration) {
	bound := func(name string) time.Duration {
		value := l.value(GroupScope, "consumer."+name).Milliseconds()
		if _, own := l.Group["consumer."+name]; !own {
			return value
		}
		least, most := l.BrokerValue("group.consumer.min."+name), l.BrokerValue("group.consumer.max."+name)
		return max(least.Milliseconds(), min(most.Milliseconds(), value))
	}
	return bound("heartbeat.interval.ms"), bound("session.timeout.ms")
}

// Server is what the broker configs of connections and requests come to.
type Server struct {
	RequestMaxBytes       int
	QueuedMaxRequestBytes int64 // below zero: a quarter of the memory limit
	ConnectionsMaxIdle    time.Duration
	MaxConnections        int
	MaxConnectionsPerIP   int
	// ConnectionOverrides replaces MaxConnectionsPerIP for some addresses.
	ConnectionOverrides map[string]int
	// ConnectionRate bounds new connections per second.
	ConnectionRate    int64
	FetchMaxBytes     int
	FetchSessionSlots int
}

// ServerConfig resolves the broker configs of connections and requests.
func (l Layers) ServerConfig() Server {
	num := func(name string) int64 { return l.BrokerValue(name).Int }
	overrides, _ := addressLimits(l.BrokerValue("max.connections.per.ip.overrides").Text) // It was checked.
	return Server{
		ConnectionOverrides:   overrides,
		ConnectionRate:        num("max.connection.creation.rate"),
		RequestMaxBytes:       int(num("socket.request.max.bytes")),
		QueuedMaxRequestBytes: num("queued.max.request.bytes"),
		ConnectionsMaxIdle:    l.BrokerValue("connections.max.idle.ms").Milliseconds(),
		MaxConnections:        int(num("max.connections")),
		MaxConnectionsPerIP:   int(num("max.connections.per.ip")),
		FetchMaxBytes:         int(num("fetch.max.bytes")),
		FetchSessionSlots:     int(num("max.incremental.fetch.session.cache.slots")),
	}
}

// Quotas is how far clients may run ahead of their quotas.
type Quotas struct {
	// Window is how long a client may save up, MutationWindow for the
	// mutation quota.
	Window, MutationWindow time.Duration
	// MaxRequestThrottle bounds a throttle time of the request quota.
	MaxRequestThrottle time.Duration
}

// QuotaConfig resolves the broker configs of quotas.
func (l Layers) QuotaConfig() Quotas {
	seconds := func(name string) time.Duration { return time.Duration(l.BrokerValue(name).Int) * time.Second }
	times := func(name string) time.Duration { return time.Duration(l.BrokerValue(name).Int) }
	return Quotas{
		Window:             times("quota.window.num") * seconds("quota.window.size.seconds"),
		MutationWindow:     times("controller.quota.window.num") * seconds("controller.quota.window.size.seconds"),
		MaxRequestThrottle: seconds("quota.window.size.seconds"),
	}
}
