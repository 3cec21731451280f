package kafkaconf

// Words that several configs share.
const (
	fsync     = "fsync"
	pagecache = "pagecache"

	maxLong   = "9223372036854775807"
	maxDouble = "1.7976931348623157E308"
	week      = "604800000" // in milliseconds
	day       = "86400000"
	gib       = "1073741824"
)

// as is a synonym in the topic config's own unit.
func as(name string) Synonym { return Synonym{Name: name, Unit: 1} }

var (
	compressions = oneOf{"producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"}
	policies     = anyOf{"compact", "delete"}
	timestamps   = oneOf{"CreateTime", "LogAppendTime"}
	durabilities = oneOf{fsync, pagecache}
	gzipLevels   = or{-1, between(1, 9)}
	noTiers      = off{"this broker has no tiered storage"}
)

// topicKeys are the configs of a topic: every one of Kafka 4, and durability.
var topicKeys = []Key{
	{Name: "cleanup.policy", Type: List, Default: "delete", Valid: policies,
		Synonyms: []Synonym{as("log.cleanup.policy")},
		Doc:      "What becomes of old records: delete drops segments by retention, compact keeps the last record of each key, both do both, an empty list keeps everything."},
	{Name: "compression.gzip.level", Type: Int, Default: "-1", Valid: gzipLevels,
		Synonyms: []Synonym{as("compression.gzip.level")},
		Doc:      "Level of gzip where compression.type is gzip; -1 is the codec's own default."},
	{Name: "compression.lz4.level", Type: Int, Default: "9", Valid: between(1, 17),
		Synonyms: []Synonym{as("compression.lz4.level")},
		Doc:      "Level of lz4 where compression.type is lz4."},
	{Name: "compression.type", Type: String, Default: "producer", Valid: compressions,
		Synonyms: []Synonym{as("compression.type")},
		Doc:      "Codec that batches are stored with; producer keeps the one they came with."},
	{Name: "compression.zstd.level", Type: Int, Default: "3", Valid: between(-131072, 22),
		Synonyms: []Synonym{as("compression.zstd.level")},
		Doc:      "Level of zstd where compression.type is zstd."},
	{Name: "delete.retention.ms", Type: Long, Default: day, Valid: atLeast(0),
		Synonyms: []Synonym{as("log.cleaner.delete.retention.ms")},
		Doc:      "How long a compacted topic keeps delete markers, in milliseconds: a reader that starts at the beginning must reach the end in this time to see every delete."},
	{Name: "durability", Type: String, Default: fsync, Valid: durabilities,
		Synonyms: []Synonym{as("log.durability")},
		Doc:      "What an acknowledged record has survived. fsync: it is on disk on the leader and on every in-sync replica. pagecache: it is in their memory, as with Kafka's defaults, and a power loss may take it."},
	{Name: "file.delete.delay.ms", Type: Long, Default: "60000", Valid: atLeast(0),
		Synonyms: []Synonym{as("log.segment.delete.delay.ms")},
		Doc:      "Milliseconds between the moment a segment is given up and the removal of its files."},
	{Name: "flush.messages", Type: Long, Default: maxLong, Valid: atLeast(1),
		Synonyms: []Synonym{as("log.flush.interval.messages")},
		Doc:      "With durability=pagecache, the number of records after which the log is flushed. With durability=fsync every acknowledged record is."},
	{Name: "flush.ms", Type: Long, Default: maxLong, Valid: atLeast(0),
		Synonyms: []Synonym{as("log.flush.interval.ms"), as("log.flush.scheduler.interval.ms")},
		Doc:      "With durability=pagecache, the milliseconds after which the log is flushed. With durability=fsync every acknowledged record is."},
	{Name: "follower.replication.throttled.replicas", Type: List, Default: "", Valid: throttled{},
		Doc: "Replicas whose fetching is throttled on the follower's side during a reassignment: partition:broker pairs, or * for all."},
	{Name: "index.interval.bytes", Type: Int, Default: "4096", Valid: atLeast(0),
		Synonyms: []Synonym{as("log.index.interval.bytes")},
		Doc:      "Bytes of log between two entries of the offset index."},
	{Name: "internal.segment.bytes", Type: Int, NoDefault: true, Hidden: true, Valid: atLeast(1),
		Doc: "Segment size for tests, below the minimum of segment.bytes; it wins over that."},
	{Name: "leader.replication.throttled.replicas", Type: List, Default: "", Valid: throttled{},
		Doc: "Replicas whose fetching is throttled on the leader's side during a reassignment: partition:broker pairs, or * for all."},
	{Name: "local.retention.bytes", Type: Long, Default: "-2", Valid: atLeast(-2), NoEffect: true,
		Synonyms: []Synonym{as("log.local.retention.bytes")},
		Doc:      "No effect: it limits the local part of a tiered topic, and this broker has no tiered storage."},
	{Name: "local.retention.ms", Type: Long, Default: "-2", Valid: atLeast(-2), NoEffect: true,
		Synonyms: []Synonym{as("log.local.retention.ms")},
		Doc:      "No effect: it limits the local part of a tiered topic, and this broker has no tiered storage."},
	{Name: "max.compaction.lag.ms", Type: Long, Default: maxLong, Valid: atLeast(1),
		Synonyms: []Synonym{as("log.cleaner.max.compaction.lag.ms")},
		Doc:      "Milliseconds after which a record of a compacted topic must have been looked at by the cleaner."},
	{Name: "max.message.bytes", Type: Int, Default: "1048588", Valid: atLeast(0),
		Synonyms: []Synonym{as("message.max.bytes")},
		Doc:      "Largest record batch, as compressed by the producer, in bytes."},
	{Name: "message.timestamp.after.max.ms", Type: Long, Default: "3600000", Valid: atLeast(0),
		Synonyms: []Synonym{as("log.message.timestamp.after.max.ms")},
		Doc:      "How far a record's timestamp may lie ahead of the broker's clock, in milliseconds; what lies further is refused with INVALID_TIMESTAMP."},
	{Name: "message.timestamp.before.max.ms", Type: Long, Default: maxLong, Valid: atLeast(0),
		Synonyms: []Synonym{as("log.message.timestamp.before.max.ms")},
		Doc:      "How far a record's timestamp may lie behind the broker's clock, in milliseconds; what lies further is refused with INVALID_TIMESTAMP."},
	{Name: "message.timestamp.type", Type: String, Default: "CreateTime", Valid: timestamps,
		Synonyms: []Synonym{as("log.message.timestamp.type")},
		Doc:      "Whose clock stamps records: the producer's (CreateTime) or the broker's at the append (LogAppendTime)."},
	{Name: "min.cleanable.dirty.ratio", Type: Double, Default: "0.5", Valid: fraction{},
		Synonyms: []Synonym{as("log.cleaner.min.cleanable.ratio")},
		Doc:      "Share of the log that must be uncompacted before the cleaner takes it up."},
	{Name: "min.compaction.lag.ms", Type: Long, Default: "0", Valid: atLeast(0),
		Synonyms: []Synonym{as("log.cleaner.min.compaction.lag.ms")},
		Doc:      "Milliseconds that a record of a compacted topic is left alone."},
	{Name: "min.insync.replicas", Type: Int, Default: "1", Valid: atLeast(1),
		Synonyms: []Synonym{as("min.insync.replicas")},
		Doc:      "Replicas that must be in sync for a write with acks=all. Where nothing is set it is 1, or 2 for a topic with three replicas or more."},
	{Name: "preallocate", Type: Bool, Default: "false", NoEffect: true,
		Synonyms: []Synonym{as("log.preallocate")},
		Doc:      "No effect: files are never allocated ahead of what is written."},
	{Name: "remote.log.copy.disable", Type: Bool, Default: "false", NoEffect: true,
		Doc: "No effect: this broker has no tiered storage."},
	{Name: "remote.log.delete.on.disable", Type: Bool, Default: "false", NoEffect: true,
		Doc: "No effect: this broker has no tiered storage."},
	{Name: "remote.storage.enable", Type: Bool, Default: "false", Valid: noTiers, NoEffect: true,
		Doc: "Only false is accepted: this broker has no tiered storage."},
	{Name: "retention.bytes", Type: Long, Default: "-1",
		Synonyms: []Synonym{as("log.retention.bytes")},
		Doc:      "Size in bytes above which a partition drops its oldest segments; -1 is no limit."},
	{Name: "retention.ms", Type: Long, Default: week, Valid: atLeast(-1),
		Synonyms: []Synonym{as("log.retention.ms"), {"log.retention.minutes", minutes}, {"log.retention.hours", hours}},
		Doc:      "Age in milliseconds at which a segment is dropped, counted from its youngest record; -1 is no limit."},
	{Name: "segment.bytes", Type: Int, Default: gib, Valid: atLeast(1 << 20),
		Synonyms: []Synonym{as("log.segment.bytes")},
		Doc:      "Size in bytes at which a new segment begins. Retention works by whole segments."},
	{Name: "segment.index.bytes", Type: Int, Default: "10485760", Valid: atLeast(4),
		Synonyms: []Synonym{as("log.index.size.max.bytes")},
		Doc:      "Largest offset index of a segment, in bytes; a full one begins a new segment."},
	{Name: "segment.jitter.ms", Type: Long, Default: "0", Valid: atLeast(0),
		Synonyms: []Synonym{as("log.roll.jitter.ms"), {"log.roll.jitter.hours", hours}},
		Doc:      "Most milliseconds by which segment.ms is shortened at random, so that partitions do not roll together."},
	{Name: "segment.ms", Type: Long, Default: week, Valid: atLeast(1),
		Synonyms: []Synonym{as("log.roll.ms"), {"log.roll.hours", hours}},
		Doc:      "Age in milliseconds at which a new segment begins although the last is not full."},
	{Name: "unclean.leader.election.enable", Type: Bool, Default: "false",
		Synonyms: []Synonym{as("unclean.leader.election.enable")},
		Doc:      "Whether a replica outside the in-sync set may lead when no other is left. It loses acknowledged records."},
}
