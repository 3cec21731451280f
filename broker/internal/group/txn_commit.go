package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/turn"
)

// CommitTxn is a TxnOffsetCommit: offsets that become the group's when the
// producer's transaction commits, and vanish when it aborts. Until then nobody
// sees them.
//
// The caller has seen to it that the transaction includes the partition of
// __consumer_offsets, so that its marker comes here.
func (s *State) CommitTxn(t *Turn, req *TxnCommitRequest) {
	err := s.mayCommitTxn(req)
	if err == nil && txnCommitSize(req) > maxTurnBytes {
		err = kerr.InvalidCommitOffsetSize
	}
	if err != nil {
		t.Reply(RefuseTxnCommit(req, err))
		return
	}
	t.Producer = &turn.Producer{ID: req.ProducerID, Epoch: req.ProducerEpoch}
	t.Settle(txnCommitResponse(req, func(topic string, p *kmsg.TxnOffsetCommitRequestTopicPartition) *kerr.Error {
		metadata := deref(p.Metadata)
		if len(metadata) > s.opts.MaxMetadata {
			return kerr.OffsetMetadataTooLarge
		}
		if s.commitsLate(req.MemberID, req.Generation, topic, p.Partition) {
			return kerr.IllegalGeneration
		}
		rec := &OffsetRecord{Group: s.id, Topic: topic, Partition: p.Partition, Offset: &Offset{
			At: p.Offset, LeaderEpoch: p.LeaderEpoch, Metadata: metadata, Committed: stamp(t.Now),
		}}
		t.Records = append(t.Records, rec)
		s.ApplyUnstable(rec, req.ProducerID)
		return nil
	}))
}

// mayCommitTxn fences consumers that have lost their partitions (KIP-447).
// Clients before TxnOffsetCommit v3 name neither member nor generation, and are
// fenced by their producer alone. A member may commit while its group
// rebalances: the next owner waits for the transaction by a stable fetch.
func (s *State) mayCommitTxn(req *TxnCommitRequest) *kerr.Error {
	if req.Generation < 0 && req.MemberID == "" && deref(req.InstanceID) == "" {
		return nil
	}
	if s.consumer != nil {
		return s.consumerMayCommitTxn(req)
	}
	if s.phase == Empty && s.members.size() == 0 && !s.recorded {
		return kerr.IllegalGeneration // the group is unknown
	}
	if _, err := s.identify(req.MemberID, req.InstanceID); err != nil {
		return err
	}
	if req.Generation != s.generation {
		return kerr.IllegalGeneration
	}
	return nil
}

// consumerMayCommitTxn is the same for a group of the consumer protocol, whose
// members' epochs are the generation (KIP-848). An earlier one will do for what
// the member has had since (KIP-1251), which is seen partition by partition.
func (s *State) consumerMayCommitTxn(req *TxnCommitRequest) *kerr.Error {
	m := s.consumer.members[req.MemberID]
	switch {
	case req.Generation < 0 && len(s.consumer.members) == 0:
		return nil
	case m == nil:
		return kerr.UnknownMemberID
	case req.Generation > m.current.Epoch || req.Generation < 0 || m.classic() && req.Generation != m.current.Epoch:
		return kerr.IllegalGeneration
	}
	return nil
}

// txnCommitSize is about how many bytes the records of a commit take.
func txnCommitSize(req *TxnCommitRequest) int {
	n := 0
	for _, topic := range req.Topics {
		n += len(topic.Partitions) * (recordOverhead + len(req.Group) + len(topic.Topic))
		for i := range topic.Partitions {
			n += len(deref(topic.Partitions[i].Metadata))
		}
	}
	return n
}

// txnCommitResponse answers each partition of a request.
func txnCommitResponse(req *TxnCommitRequest, answer func(string, *kmsg.TxnOffsetCommitRequestTopicPartition) *kerr.Error) *TxnCommitResponse {
	resp := kmsg.NewPtrTxnOffsetCommitResponse()
	for _, topic := range req.Topics {
		rt := kmsg.NewTxnOffsetCommitResponseTopic()
		rt.Topic = topic.Topic
		for i := range topic.Partitions {
			rp := kmsg.NewTxnOffsetCommitResponseTopicPartition()
			rp.Partition = topic.Partitions[i].Partition
			rp.ErrorCode = code(answer(topic.Topic, &topic.Partitions[i]))
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// ApplyUnstable makes a record in a producer's open transaction true.
func (s *State) ApplyUnstable(rec *OffsetRecord, producer int64) {
	s.records++
	s.unstable.apply(producer, rec, s.records)
}

// Complete ends a producer's transaction: the marker is in the log. An offset
// that was committed after the transaction's stays.
func (s *State) Complete(producer int64, commit bool, _ time.Time) {
	all := s.unstable[producer]
	delete(s.unstable, producer)
	if !commit {
		return
	}
	for topic, partitions := range all {
		for partition, p := range partitions {
			if now, ok := s.offsets[topic][partition]; !ok || now.order < p.order {
				s.offsets.set(topic, partition, p)
			}
		}
	}
}

// unstable are offsets in open transactions, by producer id.
type unstable map[int64]offsets

func (u unstable) apply(producer int64, rec *OffsetRecord, order int64) {
	if u[producer] == nil {
		u[producer] = offsets{}
	}
	u[producer].apply(rec, order)
}

// has reports whether an open transaction may change an offset.
func (u unstable) has(topic string, partition int32) bool {
	for _, o := range u {
		if _, ok := o[topic][partition]; ok {
			return true
		}
	}
	return false
}
