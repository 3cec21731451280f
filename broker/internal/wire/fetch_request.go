package wire

import "math"

// Fetch is served from v4, the first with record batches (KIP-98).
const (
	MinFetch = 4
	MaxFetch = 18
)

const (
	minFetchTopic     = 2  // an empty name and an empty array, both compact
	minFetchPartition = 16 // v4: index, offset, maximum
)

// FetchRequest is a Fetch request read in place, as [ProduceRequest] is. Its
// topics come first, then the topics that the session forgets:
//
//	for req.NextTopic() {
//		for req.NextPartition() { ... }
//	}
//	for req.NextForgottenTopic() {
//		for req.NextForgottenPartition() { ... }
//	}
type FetchRequest struct {
	Version int16
	// ReplicaID is the follower that asks, -1 for a consumer. From v15 on it
	// and ReplicaEpoch come as a tagged field (KIP-903).
	ReplicaID    int32
	ReplicaEpoch int64
	// ClusterID is empty unless a follower sent it.
	ClusterID      string
	MaxWaitMillis  int32
	MinBytes       int32
	MaxBytes       int32
	IsolationLevel int8
	// SessionID and SessionEpoch belong to KIP-227; before v7 they are 0 and
	// -1, a fetch without a session.
	SessionID    int32
	SessionEpoch int32
	Rack         string
	// Topics and Partitions count what is fetched, Forgotten the topics
	// named to be forgotten.
	Topics, Partitions, Forgotten int

	// Topic is the current topic's name; empty from v13 on, which names
	// topics by TopicID (KIP-516).
	Topic           string
	TopicID         [16]byte
	TopicPartitions int
	// FetchPartition is the current partition. For a forgotten one only its
	// Partition is set.
	FetchPartition

	r                    reader
	first, forgotten     int // where the two lists begin
	topicsLeft, partLeft int
	forgottenLeft        int
}

// FetchPartition is what a Fetch request says about one partition.
type FetchPartition struct {
	Partition int32
	// CurrentLeaderEpoch is -1 if the client does not know it (KIP-320).
	CurrentLeaderEpoch int32
	FetchOffset        int64
	// LastFetchedEpoch is -1 if the log is empty or the client too old to
	// say (KIP-595).
	LastFetchedEpoch int32
	// LogStartOffset is a follower's; consumers send -1.
	LogStartOffset int64
	MaxBytes       int32
	// ReplicaDirectoryID is a follower's (v17, KIP-853).
	ReplicaDirectoryID [16]byte
	// HighWatermark is what a follower knows (v18, KIP-1166); the largest
	// int64 if it does not say.
	HighWatermark int64
}

// ByID says that the request names its topics by id, not by name.
func (f *FetchRequest) ByID() bool { return f.Version >= 13 }

func (f *FetchRequest) flexible() bool { return f.Version >= 12 }

// Decode reads the fixed fields, checks all others, and puts the cursor
// before the first topic.
func (f *FetchRequest) Decode(version int16, body []byte) error {
	*f = FetchRequest{Version: version, ReplicaID: -1, ReplicaEpoch: -1, SessionEpoch: -1, r: reader{src: body}}
	r := &f.r
	if version <= 14 {
		f.ReplicaID = r.int32()
	}
	f.MaxWaitMillis = r.int32()
	f.MinBytes = r.int32()
	f.MaxBytes = r.int32()
	f.IsolationLevel = r.int8()
	if version >= 7 {
		f.SessionID = r.int32()
		f.SessionEpoch = r.int32()
	}
	f.Topics = r.array(f.flexible(), minFetchTopic)
	f.first = r.pos
	f.topicsLeft = f.Topics
	for f.NextTopic() {
		f.Partitions += f.TopicPartitions
		for f.NextPartition() {
		}
	}
	if version >= 7 {
		f.Forgotten = r.array(f.flexible(), minFetchTopic)
	}
	f.forgotten = r.pos
	f.forgottenLeft = f.Forgotten
	for f.NextForgottenTopic() {
		for f.NextForgottenPartition() {
		}
	}
	if version >= 11 {
		f.Rack = r.string(f.flexible())
	}
	if f.flexible() {
		f.decodeTags()
	}
	if r.failed() {
		return r.err(KeyFetch, version)
	}
	f.Rewind()
	return nil
}

func (f *FetchRequest) decodeTags() {
	r := &f.r
	for n := r.uvarint(); n > 0 && !r.failed(); n-- {
		key, value := r.tag()
		switch {
		case key == 0:
			f.ClusterID, _ = value.nullableString(true)
		case key == 1 && f.Version >= 15:
			f.ReplicaID = value.int32()
			f.ReplicaEpoch = value.int64()
			value.skipTags()
		}
		r.adopt(value)
	}
}

// Rewind puts the cursor before the first topic.
func (f *FetchRequest) Rewind() {
	f.r.pos = f.first
	f.topicsLeft, f.partLeft = f.Topics, 0
	f.forgottenLeft = f.Forgotten
}

// NextTopic moves to the next topic. The current one's partitions must have
// been walked to their end.
func (f *FetchRequest) NextTopic() bool {
	if f.topicsLeft == 0 || f.r.failed() {
		return false
	}
	f.topicsLeft--
	return f.topic(minFetchPartition)
}

// topic reads what opens a topic in either list.
func (f *FetchRequest) topic(minPartition int) bool {
	r := &f.r
	if f.ByID() {
		f.TopicID = r.uuid()
	} else {
		f.Topic = r.string(f.flexible())
	}
	f.TopicPartitions = r.array(f.flexible(), minPartition)
	f.partLeft = f.TopicPartitions
	if f.partLeft == 0 && f.flexible() {
		r.skipTags()
	}
	return !r.failed()
}

// NextPartition moves to the next partition of the current topic.
func (f *FetchRequest) NextPartition() bool {
	r := &f.r
	if f.partLeft == 0 || r.failed() {
		return false
	}
	f.partLeft--
	p := FetchPartition{CurrentLeaderEpoch: -1, LastFetchedEpoch: -1, LogStartOffset: -1, HighWatermark: math.MaxInt64}
	p.Partition = r.int32()
	if f.Version >= 9 {
		p.CurrentLeaderEpoch = r.int32()
	}
	p.FetchOffset = r.int64()
	if f.Version >= 12 {
		p.LastFetchedEpoch = r.int32()
	}
	if f.Version >= 5 {
		p.LogStartOffset = r.int64()
	}
	p.MaxBytes = r.int32()
	if f.flexible() {
		p.decodeTags(r)
		if f.partLeft == 0 {
			r.skipTags() // the topic's own, which follow its last partition
		}
	}
	f.FetchPartition = p
	return !r.failed()
}

func (p *FetchPartition) decodeTags(r *reader) {
	for n := r.uvarint(); n > 0 && !r.failed(); n-- {
		key, value := r.tag()
		switch key {
		case 0:
			p.ReplicaDirectoryID = value.uuid()
		case 1:
			p.HighWatermark = value.int64()
		}
		r.adopt(value)
	}
}

// NextForgottenTopic moves to the next topic that the session forgets, the
// first time past any topics to fetch that were not walked.
func (f *FetchRequest) NextForgottenTopic() bool {
	if f.forgottenLeft == 0 || f.r.failed() {
		return false
	}
	if f.forgottenLeft == f.Forgotten {
		f.r.pos = f.forgotten
		f.topicsLeft = 0
	}
	f.forgottenLeft--
	return f.topic(4)
}

// NextForgottenPartition moves to the next partition of the current forgotten
// topic.
func (f *FetchRequest) NextForgottenPartition() bool {
	r := &f.r
	if f.partLeft == 0 || r.failed() {
		return false
	}
	f.partLeft--
	f.FetchPartition = FetchPartition{Partition: r.int32()}
	if f.partLeft == 0 && f.flexible() {
		r.skipTags()
	}
	return !r.failed()
}
