package api

import (
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/broker/internal/quota"
	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/broker/internal/server"
	"github.com/millrace-io/millrace/broker/internal/wire"
	"github.com/millrace-io/millrace/internal/record"
)

// Produce (key 0, v3-13): appends one record batch per partition.
//
//   - v0 to v2, with the message sets of old, are advertised and refused
//     (KAFKA-18659).
//   - Every partition is answered for itself. Its batch is checked before any
//     lock is taken: framing and CRC, the header's counts, and the records of
//     a batch that is not compressed. A compressed one is not opened.
//   - acks=0 is not answered; if anything fails the connection is closed, which
//     is the only way left to tell. acks=1 is answered after the append,
//     acks=all when the high watermark has passed the batch, or with
//     REQUEST_TIMED_OUT at the request's timeout: then the batch is in the log
//     and may still be committed. A duplicate waits like its original.
//   - Its bytes count against producer_byte_rate.
//   - From v10 on NOT_LEADER_OR_FOLLOWER names the leader (KIP-951); from v13
//     on topics go by id (KIP-516).

// maxProducePartitions bounds the memory of a reply to a request that is made
// of nothing but empty partitions.
const maxProducePartitions = 100_000

func (b *Broker) produce(r *server.Request) (server.Reply, error) {
	p := b.hot.takeProduce(b)
	reply, err := p.serve(r)
	if reply == nil {
		p.Release()
		return nil, err
	}
	return reply, nil
}

// produceReply is the answer to a Produce. It is pooled.
type produceReply struct {
	parking
	b *Broker
	producing
}

// producing is what belongs to one request.
type producing struct {
	req     wire.ProduceRequest // valid while serve runs
	acks    int16
	names   []byte // the topics' names, one behind the other
	topics  []producedTopic
	parts   []producedPartition
	leaders []wire.Endpoint
	firsts  []firstBatch // that begin a transaction in their partition, in the order of the request
	// firstsServed counts those of partitions that were served.
	firstsServed int
	awaited      int // partitions that the waiter waits for
	failed       int // partitions that were refused
}

type producedTopic struct {
	name       int // length of the name
	id         [16]byte
	partitions int
}

type producedPartition struct {
	wire.ProducePartition
	awaits bool
}

// serve appends every batch. It returns nil where no reply is due.
func (p *produceReply) serve(r *server.Request) (server.Reply, error) {
	p.begin(r)
	if err := p.req.Decode(r.Version, r.Body); err != nil {
		return nil, err
	}
	if p.req.Partitions > maxProducePartitions {
		return nil, &server.CloseError{Reason: server.Malformed, Detail: fmt.Sprintf("Produce of %d partitions, at most %d", p.req.Partitions, maxProducePartitions)}
	}
	p.acks = p.req.Acks
	p.expect(0)
	image := p.b.image()
	if p.req.Transactional {
		p.joinTransaction(r, image)
	}
	for p.req.NextTopic() {
		p.names = append(p.names, p.req.Topic...)
		p.topics = append(p.topics, producedTopic{name: len(p.req.Topic), id: p.req.TopicID, partitions: p.req.TopicPartitions})
		for p.req.NextPartition() {
			p.appendTo(image)
		}
	}
	if pause := p.b.Quotas.Charge(quota.Produce, clientOf(r.Header), float64(len(r.Body)), r.Received); pause > 0 {
		p.pause(pause)
		r.Mute.For(r.Received, pause)
	}
	timeout := time.Duration(max(p.req.TimeoutMillis, 0)) * time.Millisecond
	p.req = wire.ProduceRequest{} // The frame goes back to its pool.
	if p.acks == 0 {
		return nil, p.unanswerable()
	}
	if p.awaited == 0 {
		p.ready.Store(true)
		return p, nil
	}
	p.park(r.Received.Add(timeout))
	return p, nil
}

// appendTo serves the partition under the request's cursor.
func (p *produceReply) appendTo(image *metadata.Image) {
	result := producedPartition{ProducePartition: wire.ProducePartition{
		Partition: p.req.Partition, BaseOffset: -1, LogAppendTime: -1, LogStartOffset: -1, Leader: wire.NoLeader,
	}}
	part, err := p.partition(image)
	var appended replica.AppendResult
	if err == nil {
		appended, err = p.append(part)
	}
	if err != nil {
		p.refuse(image, &result, err)
	} else {
		result.BaseOffset, result.LogAppendTime, result.LogStartOffset = appended.BaseOffset, appended.LogAppendTime, appended.LogStart
		if p.acks == replica.AcksAll {
			part.Await(p.waiter, appended)
			result.awaits = true
			p.awaited++
		}
	}
	p.parts = append(p.parts, result)
}

// append checks and appends the batch under the cursor.
func (p *produceReply) append(part *replica.Partition) (replica.AppendResult, error) {
	batch, err := onlyBatch(p.req.Records, p.req.Version)
	if err != nil {
		return replica.AppendResult{}, err
	}
	if batch.IsTransactional() && !p.req.Transactional {
		return replica.AppendResult{}, errNoTransactionalID
	}
	guard, err := p.joined()
	if err != nil {
		return replica.AppendResult{}, err
	}
	return part.Append(batch, replica.AppendRequest{Acks: p.acks, LeaderEpoch: -1, Guard: guard})
}

var (
	errAcks              = fmt.Errorf("acks is none of 0, 1 and -1 (all): %w", kerr.InvalidRequiredAcks)
	errNoTransactionalID = fmt.Errorf("transactional batch in a request without transactional id: %w", kerr.InvalidRecord)
	errOneBatch          = fmt.Errorf("exactly one record batch per partition: %w", kerr.InvalidRecord)
	errMagic             = fmt.Errorf("message format 0 or 1, record batches (2) are needed: %w", kerr.InvalidRecord)
	errZstd              = fmt.Errorf("zstd needs Produce v7: %w", kerr.UnsupportedCompressionType)
	errInternal          = fmt.Errorf("the topic is the broker's own: %w", kerr.InvalidTopicException)
)

// onlyBatch takes the one batch that a partition's records must be, and checks
// what can be checked without knowing the partition.
func onlyBatch(records []byte, version int16) (record.Batch, error) {
	const magicAt = 16 // in every format
	switch {
	case len(records) == 0:
		return nil, errOneBatch
	case len(records) > magicAt && records[magicAt] < 2:
		return nil, errMagic
	}
	batch, rest, err := record.Next(records)
	switch {
	case err != nil:
		return nil, err
	case len(rest) > 0:
		return nil, errOneBatch
	}
	if err := batch.Check(); err != nil {
		return nil, err
	}
	if batch.Codec() == record.Zstd && version < 7 {
		return nil, errZstd
	}
	if batch.Codec() == record.None {
		return batch, batch.CheckRecords()
	}
	return batch, nil
}

// partition finds the partition under the cursor.
func (p *produceReply) partition(image *metadata.Image) (*replica.Partition, error) {
	if p.acks < -1 || p.acks > 1 {
		return nil, errAcks
	}
	if p.req.ByID() {
		part, ok := p.b.Replicas.ByID(p.req.TopicID, p.req.Partition)
		if !ok {
			return nil, p.b.absent(image, "", p.req.TopicID, p.req.Partition)
		}
		if isInternal(part.Topic()) {
			return nil, errInternal
		}
		return part, nil
	}
	part, ok := p.b.Replicas.Partition(p.req.Topic, p.req.Partition)
	if !ok {
		return nil, p.b.absent(image, p.req.Topic, metadata.UUID{}, p.req.Partition)
	}
	if isInternal(p.req.Topic) {
		return nil, errInternal
	}
	return part, nil
}

// refuse turns an error into the outcome of a partition.
func (p *produceReply) refuse(image *metadata.Image, result *producedPartition, err error) {
	code := codeOf(err)
	result.ErrorCode = code.Code
	result.BaseOffset = -1
	if bad, ok := errors.AsType[*replica.RecordsError](err); ok {
		for _, r := range bad.Records {
			result.RecordErrors = append(result.RecordErrors, wire.RecordError{Index: r.Index, Message: r.Message})
		}
	}
	p.failed++
	p.b.Metrics.Failed(wire.KeyProduce, code.Code)
	if code != kerr.NotLeaderForPartition {
		result.ErrorMessage = err.Error()
		return
	}
	topic := p.topics[len(p.topics)-1]
	name := string(p.names[len(p.names)-topic.name:])
	if led, ok := imagePartition(image, name, topic.id, result.Partition); ok {
		result.Leader, p.leaders = p.b.leaderHint(image, led, p.listener, p.leaders)
	}
}

// unanswerable is the error that closes a connection with acks=0: its client
// has no other way to learn that something was not appended.
func (p *produceReply) unanswerable() error {
	if p.failed == 0 {
		return nil
	}
	for i := range p.parts {
		if part := &p.parts[i]; part.ErrorCode != 0 {
			return &server.CloseError{Reason: server.Unanswerable, Detail: fmt.Sprintf("Produce with acks=0, partition %d", part.Partition), Err: kerr.ErrorForCode(part.ErrorCode)}
		}
	}
	return errors.New("api: a failure without a code")
}

// Encode implements [server.Reply].
func (p *produceReply) Encode(out *server.Out) error {
	p.settle()
	resp := wire.ProduceResponse(p.h.Version)
	out.Grow(64 + len(p.names) + 32*len(p.topics) + 64*len(p.parts))
	dst := wire.AppendResponseHeader(out.Buf, p.h)
	dst = resp.Begin(dst, len(p.topics))
	names, parts := p.names, p.parts
	for i := range p.topics {
		t := &p.topics[i]
		dst = resp.Topic(dst, alias(names[:t.name]), t.id, t.partitions)
		for j := range parts[:t.partitions] {
			dst = resp.Partition(dst, &parts[j].ProducePartition)
		}
		dst = resp.EndTopic(dst)
		names, parts = names[t.name:], parts[t.partitions:]
	}
	out.Buf = resp.End(dst, millisOf(p.throttle), p.leaders)
	return nil
}

// settle takes over what became of the partitions that were waited for.
func (p *produceReply) settle() {
	p.unlink()
	if p.awaited == 0 {
		return
	}
	image, n := p.b.image(), 0
	names, parts := p.names, p.parts
	for i := range p.topics {
		t := &p.topics[i]
		for j := range parts[:t.partitions] {
			if part := &parts[j]; part.awaits {
				if err := p.waiter.Err(n); err != nil {
					p.lose(image, part, names[:t.name], t.id, err)
				}
				n++
			}
		}
		names, parts = names[t.name:], parts[t.partitions:]
	}
	p.awaited = 0
}

// lose is the outcome of a batch that was appended and not committed in time,
// or whose leader is another meanwhile.
func (p *produceReply) lose(image *metadata.Image, part *producedPartition, name []byte, id [16]byte, err error) {
	code := codeOf(err)
	part.ErrorCode, part.BaseOffset, part.LogAppendTime, part.LogStartOffset = code.Code, -1, -1, -1
	p.b.Metrics.Failed(wire.KeyProduce, code.Code)
	if code != kerr.NotLeaderForPartition {
		return
	}
	if led, ok := imagePartition(image, string(name), id, part.Partition); ok {
		part.Leader, p.leaders = p.b.leaderHint(image, led, p.listener, p.leaders)
	}
}

// Release implements [server.Reply].
func (p *produceReply) Release() {
	p.unlink()
	p.b.hot.giveProduce(p)
}
