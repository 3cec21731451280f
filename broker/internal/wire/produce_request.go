package wire

// Produce is served from v3, the first with record batches (KIP-98). Versions
// 0 to 2 are advertised and refused (KAFKA-18659).
const (
	MinProduce = 3
	MaxProduce = 13
)

// Sizes below which no element of a Produce request can be: they bound how
// many elements a frame can claim.
const (
	minProduceTopic     = 2 // an empty name and an empty array, both compact
	minProducePartition = 5 // the index, and a length
)

// ProduceRequest is a Produce request read in place:
//
//	var req wire.ProduceRequest // reused from request to request
//	if err := req.Decode(version, body); err != nil { ... }
//	for req.NextTopic() {
//		for req.NextPartition() {
//			use(req.Topic, req.Partition, req.Records)
//		}
//	}
//
// Decode checks the whole frame, so the loops cannot fail.
type ProduceRequest struct {
	Version int16
	// TransactionalID is set if Transactional.
	TransactionalID string
	Transactional   bool
	Acks            int16
	TimeoutMillis   int32
	// Topics and Partitions count what the request holds in all.
	Topics, Partitions int

	// Topic is the current topic's name; empty from v13 on, which names
	// topics by TopicID (KIP-516).
	Topic   string
	TopicID [16]byte
	// TopicPartitions counts the current topic's partitions.
	TopicPartitions int
	// Partition is the current partition's index.
	Partition int32
	// Records holds the partition's record batches, nil if null.
	Records []byte

	r                    reader
	first                int // where the topics begin
	topicsLeft, partLeft int
}

// Decode reads the fixed fields, checks all others, and puts the cursor
// before the first topic.
func (p *ProduceRequest) Decode(version int16, body []byte) error {
	flexible := version >= 9
	*p = ProduceRequest{Version: version, r: reader{src: body}}
	r := &p.r
	p.TransactionalID, p.Transactional = r.nullableString(flexible)
	p.Acks = r.int16()
	p.TimeoutMillis = r.int32()
	p.Topics = r.array(flexible, minProduceTopic)
	p.first = r.pos
	p.Rewind()
	for p.NextTopic() {
		p.Partitions += p.TopicPartitions
		for p.NextPartition() {
		}
	}
	if flexible {
		r.skipTags()
	}
	if r.failed() {
		return r.err(KeyProduce, version)
	}
	p.Rewind()
	return nil
}

// Rewind puts the cursor before the first topic.
func (p *ProduceRequest) Rewind() {
	p.r.pos = p.first
	p.topicsLeft, p.partLeft = p.Topics, 0
}

// NextTopic moves to the next topic. The current one's partitions must have
// been walked to their end.
func (p *ProduceRequest) NextTopic() bool {
	r := &p.r
	if p.topicsLeft == 0 || r.failed() {
		return false
	}
	p.topicsLeft--
	flexible := p.Version >= 9
	if p.Version >= 13 {
		p.TopicID = r.uuid()
	} else {
		p.Topic = r.string(flexible)
	}
	p.TopicPartitions = r.array(flexible, minProducePartition)
	p.partLeft = p.TopicPartitions
	if p.partLeft == 0 && flexible {
		r.skipTags()
	}
	return !r.failed()
}

// NextPartition moves to the next partition of the current topic.
func (p *ProduceRequest) NextPartition() bool {
	r := &p.r
	if p.partLeft == 0 || r.failed() {
		return false
	}
	p.partLeft--
	flexible := p.Version >= 9
	p.Partition = r.int32()
	p.Records = r.nullableBytes(flexible)
	if flexible {
		r.skipTags()
		if p.partLeft == 0 {
			r.skipTags() // the topic's own, which follow its last partition
		}
	}
	return !r.failed()
}

// ByID says that the request names its topics by id, not by name.
func (p *ProduceRequest) ByID() bool { return p.Version >= 13 }
