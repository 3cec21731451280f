package sim

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/broker/internal/wait"
	"github.com/millrace-io/millrace/internal/record"
)

// inFlight is how many batches an idempotent client sends ahead of their
// replies, and how many the broker tells from new ones.
const inFlight = 5

// A producer is a client. An idempotent one sends with acks=all and sends
// again, in order, what was not acknowledged; the other sends once with acks=1
// and hopes.
type producer struct {
	id int64 // -1 for one without idempotence
}

// A lane is what one producer has under way to one partition.
type lane struct {
	producer *producer
	owner    *transactor // whose transactions the batches are part of; nil for none
	at       partitionID
	epoch    int16   // of the producer
	sequence int32   // of the next new batch
	queue    []*sent // not acknowledged, in order
	resend   int     // queue[resend:] is to be sent, again or for the first time
	recent   []*sent // the last that were sent, acknowledged or not
}

// sent is one batch of a client.
type sent struct {
	batch record.Batch
	acked bool
}

func (l *lane) String() string { return fmt.Sprintf("producer %d to %v", l.producer.id, l.at) }

// produce sends the next batch of a lane: one that was not acknowledged before
// a recovery, or a new one.
func (w *World) produce(l *lane) error {
	if l.resend == len(l.queue) {
		if len(l.queue) == inFlight {
			return nil
		}
		l.queue = append(l.queue, w.newBatch(l))
	}
	s := l.queue[l.resend]
	l.resend++ // before the acknowledgement, which may come at once
	ok, err := w.transmit(l, s)
	if !ok {
		l.resend--
	}
	return err
}

// again sends a batch a second time, as a client does whose reply was lost. It
// does not wait until retention or compaction has removed the batch: the broker
// may then have forgotten it (KIP-360).
func (w *World) again(l *lane) error {
	if len(l.recent) == 0 || l.producer.id < 0 || l.resend < len(l.queue) {
		return nil
	}
	s := l.recent[w.steps.IntN(len(l.recent))]
	if e := w.logs[l.at].find(s.batch); e == nil || e.base < max(w.logs[l.at].start, w.logs[l.at].cleaned) {
		return nil
	}
	_, err := w.transmit(l, s)
	return err
}

func (w *World) newBatch(l *lane) *sent {
	n := 1 + w.steps.IntN(4)
	s := &sent{batch: w.buildBatch(l, n)}
	l.sequence = record.NextSequence(l.sequence, int32(n))
	if l.owner != nil {
		part := l.owner.txn.part(l)
		part.sent = append(part.sent, s)
	}
	return s
}

// buildBatch makes the next batch of a lane, of values that no other has.
func (w *World) buildBatch(l *lane, n int) record.Batch {
	var b record.Builder
	if l.producer.id >= 0 {
		b.SetProducer(l.producer.id, l.epoch, l.sequence)
	}
	b.SetTransactional(l.owner != nil)
	for range n {
		w.values++
		value := fmt.Appendf(nil, "%d %s", w.values, bytes.Repeat([]byte{'.'}, w.steps.IntN(w.plan.valueBytes)))
		key := w.values
		if w.plan.data.Compact {
			key %= 7
			if w.steps.IntN(5) == 0 {
				value = nil
			}
		}
		b.Append(record.Record{Timestamp: w.now.UnixMilli(), Key: fmt.Append(nil, key), Value: value})
	}
	batch, err := b.Build()
	if err != nil {
		panic(err) //nolint:forbidigo // the builder refuses nothing that is built here
	}
	return bytes.Clone(batch)
}

// transmit appends a batch as a Produce request does, and arranges for its
// acknowledgement. It reports whether the broker took it.
func (w *World) transmit(l *lane, s *sent) (bool, error) {
	p := w.life.partition(l.at)
	if p == nil {
		return false, nil
	}
	acks := int16(replica.AcksAll)
	if l.producer.id < 0 {
		acks = 1
	}
	_, epoch := p.Leader()
	m := w.logs[l.at]
	original := m.find(s.batch)
	if original == nil {
		m.append(s.batch, epoch)
	}
	request := replica.AppendRequest{Acks: acks, LeaderEpoch: epoch}
	if l.owner != nil {
		request.Guard, _ = p.Verify(s.batch) // and the coordinator says yes
	}
	res, err := p.Append(bytes.Clone(s.batch), request)
	if w.dead() {
		return false, nil // whether the batch is in the log will be seen
	}
	w.trace.add("%v: %d..%d: %v", l, res.BaseOffset, res.LastOffset, err)
	if err != nil {
		if original == nil {
			m.undo()
		}
		return false, w.refused(l.String(), p, err)
	}
	if original == nil {
		original = &m.entries[len(m.entries)-1]
	} else if !res.Duplicate {
		return false, fmt.Errorf("anomaly 5: %v: %v was appended twice, at %d and at %d", l, s.batch, original.base, res.BaseOffset)
	}
	if res.BaseOffset != original.base || res.LastOffset != original.last {
		return false, fmt.Errorf("I13: %v: %v was appended at %d, the reply says %d", l, s.batch, original.base, res.BaseOffset)
	}
	l.remember(s)
	if acks == 1 {
		l.done(s)
		return true, nil
	}
	w.await(p, res, func() error { return w.acknowledged(l, s, p, res) })
	return true, nil
}

// refused judges an error of an append: only the disk may refuse what a client
// sends in order.
func (w *World) refused(who string, p *replica.Partition, err error) error {
	w.refusals++
	switch {
	case p.Log().Err() != nil:
		w.life.sick = true
		return nil
	case errors.Is(err, replica.ErrStorage):
		return nil // a full disk: the write was cut off again
	}
	return fmt.Errorf("I13: %s: refused though sent in order: %w", who, err)
}

// acknowledged is the arrival of the reply.
func (w *World) acknowledged(l *lane, s *sent, p *replica.Partition, res replica.AppendResult) error {
	w.trace.add("%v: acked below %d", l, res.LastOffset+1)
	if hw := p.HighWatermark(); hw <= res.LastOffset {
		return fmt.Errorf("I7: %v: acknowledged %d under a high watermark of %d", l, res.LastOffset, hw)
	}
	l.done(s)
	w.acks++
	return w.logs[l.at].keep(res.LastOffset+1, "acknowledged")
}

// remember keeps the batches that the broker must be able to tell from new
// ones.
func (l *lane) remember(s *sent) {
	if slices.Contains(l.recent, s) {
		return
	}
	l.recent = append(l.recent, s)
	if len(l.recent) > inFlight {
		l.recent = l.recent[1:]
	}
}

// done takes a batch off the queue. Acknowledgements come in order, but for
// those of batches that were sent twice.
func (l *lane) done(s *sent) {
	s.acked = true
	for len(l.queue) > 0 && l.queue[0].acked {
		l.queue = l.queue[1:]
		l.resend--
	}
}

// reconnect is what a client does after the broker was gone: what was not
// acknowledged is sent again from the first on. What was lost of the recent
// batches is no retry any more.
func (l *lane) reconnect(m *logModel, outage bool) {
	defer func() { l.resend = 0 }()
	switch {
	case l.producer.id < 0:
		l.queue, l.recent = nil, nil // sent again, it would stand twice
	case m.volatile && outage:
		// What was acknowledged may be gone, and with it the sequence that the
		// broker expects: the client goes on in a new epoch (KIP-360).
		l.queue, l.recent = nil, nil
		l.epoch++
		l.sequence = 0
	}
	for _, s := range slices.Clone(l.queue) {
		if e := m.find(s.batch); e != nil && e.base < max(m.start, m.cleaned) {
			l.done(s) // so old that it was removed: it was committed for certain
		}
	}
	l.recent = slices.DeleteFunc(l.recent, func(s *sent) bool { return m.find(s.batch) == nil })
}

// find returns where a producer's batch stands in the log, if it does.
func (m *logModel) find(b record.Batch) *appended {
	for i := len(m.entries) - 1; i >= 0; i-- {
		if bytes.Equal(content(m.entries[i].batch), content(b)) {
			return &m.entries[i]
		}
	}
	return nil
}

// await calls done when the batch is committed under the leadership that
// appended it, in this life.
func (w *World) await(p *replica.Partition, res replica.AppendResult, done func() error) {
	life := w.life
	var waiter *wait.Waiter
	finish := func() {
		waiter.End()
		if err := waiter.Err(0); err == nil && life == w.life && !w.dead() {
			w.note(done())
		}
	}
	waiter = wait.New(finish)
	waiter.Begin(0)
	p.Await(waiter, res)
	if !waiter.Arm() {
		finish()
	}
}
