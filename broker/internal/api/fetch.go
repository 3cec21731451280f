package api

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace-io/millrace/broker/internal/commitlog"
	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/broker/internal/quota"
	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/broker/internal/server"
	"github.com/millrace-io/millrace/broker/internal/wire"
)

// Fetch (key 1, v4-18): record batches from an offset on.
//
//   - Batches leave as they lie in the log, whole; the first may lie partly
//     before the offset. The first partition that has something gets one batch
//     even above all limits (KIP-74). The response is bounded by the request,
//     by the partition and by fetch.max.bytes.
//   - It is answered at once if min.bytes are there, a partition has an error
//     or diverges (KIP-595), or nothing is to be waited for. Otherwise it
//     waits for the missing bytes on all its partitions, at most maxFetchWait,
//     and then reads once more.
//   - With read_committed it ends at the last stable offset, and lists the
//     aborted transactions whose records are to be dropped (KIP-98).
//   - Sessions (KIP-227) are in fetch_session.go. From v12 on the leader is
//     named where this broker is not it, from v16 on with its address
//     (KIP-951); from v13 on topics go by id (KIP-516).
//   - Its records count against consumer_byte_rate. A client that is in debt is
//     answered with nothing (KIP-219).
//   - Followers do not fetch here: CLUSTER_AUTHORIZATION_FAILED.

// maxFetchWait bounds max.wait.ms.
const maxFetchWait = 5 * time.Minute

func (b *Broker) fetch(r *server.Request) (server.Reply, error) {
	f := b.hot.takeFetch(b)
	if err := f.serve(r); err != nil {
		f.Release()
		return nil, err
	}
	return f, nil
}

// fetchReply is the answer to a Fetch. It is pooled.
type fetchReply struct {
	parking
	b *Broker
	fetching
}

// fetching is what belongs to one request.
type fetching struct {
	req       wire.FetchRequest // its lists are valid while serve runs
	session   *session          // nil for a request that stands for itself
	sessionID int32
	full      bool // the response names every partition
	failure   *kerr.Error

	client []byte // whose quota the response counts against; empty for nobody's
	empty  bool   // nothing is sent: the client is in debt

	own     []fetchPart  // the partitions of a request without session
	sent    []*fetchPart // those that the response names
	ranges  []commitlog.Range
	leaders []wire.Endpoint
	aborted []wire.AbortedTransaction // of the partition being encoded
}

func (f *fetchReply) serve(r *server.Request) error {
	f.begin(r)
	if err := f.req.Decode(r.Version, r.Body); err != nil {
		return err
	}
	if f.req.ReplicaID >= 0 {
		return f.refuse(kerr.ClusterAuthorizationFailed)
	}
	debt := f.debt(r)
	if debt > 0 && f.req.SessionEpoch <= 0 {
		f.answerNothing(debt, r.Received)
		return nil
	}
	var failure *kerr.Error
	if f.session, failure = f.b.sessions.begin(&f.req, r.Received); failure != nil {
		return f.refuse(failure)
	}
	f.full = f.req.SessionEpoch <= 0
	f.take()
	if debt > 0 {
		f.answerNothing(debt, r.Received)
		return nil
	}
	for range maxLooks {
		have, urgent := f.read()
		missing := int64(min(f.req.MinBytes, f.req.MaxBytes)) - int64(have)
		if missing <= 0 || urgent || f.req.MaxWaitMillis <= 0 || f.nothing() {
			f.ready.Store(true)
			return nil
		}
		f.each(func(p *fetchPart) { p.drop() })
		if f.await(missing) {
			wait := min(time.Duration(f.req.MaxWaitMillis)*time.Millisecond, maxFetchWait)
			f.park(r.Received.Add(wait))
			return nil
		}
	}
	f.read()
	f.ready.Store(true)
	return nil
}

// maxLooks bounds how often a session is read again because something has
// arrived between the read and the wait. Then it is answered with what it has.
const maxLooks = 8

// await begins to wait for bytes: on the watches of a session, or on every
// partition. It is false if something of the session has moved since the read.
func (f *fetchReply) await(missing int64) bool {
	f.expect(missing)
	if f.session != nil {
		awaits := f.session.watches.Await(f.waiter)
		if !awaits {
			f.parking.unlink()
		}
		return awaits
	}
	f.each(func(p *fetchPart) { p.partition.AwaitBytes(f.waiter, p.result) })
	return true
}

// unlink ends the wait.
func (f *fetchReply) unlink() {
	if f.linked && f.session != nil {
		f.session.watches.End()
	}
	f.parking.unlink()
}

// debt is how long the client still has to pause for what it has read. It
// notes whose quota the response counts against.
func (f *fetchReply) debt(r *server.Request) time.Duration {
	if !f.b.Quotas.Limited(quota.Fetch) {
		return 0
	}
	f.client = append(f.client, r.ClientID...)
	return f.b.Quotas.Debt(quota.Fetch, clientOf(r.Header), r.Received)
}

// answerNothing is the answer to a client that is in debt: KIP-219 lets even a
// full response be empty then, and no session begins with it.
func (f *fetchReply) answerNothing(debt time.Duration, now time.Time) {
	f.empty = true
	f.pause(debt)
	f.mute.For(now, debt)
	f.ready.Store(true)
}

// charge books the bytes that are sent.
func (f *fetchReply) charge() {
	if len(f.client) == 0 || f.empty {
		return
	}
	bytes := 0
	for _, p := range f.sent {
		bytes += p.result.Range.Size()
	}
	now := time.Now()
	pause := f.b.Quotas.Charge(quota.Fetch, quota.Client{User: anonymous, ID: alias(f.client)}, float64(bytes), now)
	f.pause(pause)
	f.mute.For(now, pause)
}

// refuse answers with an error for the whole request, which exists from v7 on.
func (f *fetchReply) refuse(failure *kerr.Error) error {
	if f.h.Version < 7 {
		return &server.CloseError{Reason: server.Unsupported, Detail: "Fetch that this version cannot be told is refused", Err: failure}
	}
	f.failure = failure
	f.b.Metrics.Failed(wire.KeyFetch, failure.Code)
	f.ready.Store(true)
	return nil
}

// take brings what the request names into the session, or into the reply.
func (f *fetchReply) take() {
	if f.session != nil {
		f.sessionID = f.session.id
		f.session.update(&f.req)
		return
	}
	for f.req.NextTopic() {
		for f.req.NextPartition() {
			f.own = append(f.own, fetchPart{key: partKey{f.req.Topic, f.req.TopicID, f.req.Partition}})
			f.own[len(f.own)-1].want(&f.req.FetchPartition)
		}
	}
}

// each goes over the partitions that are to be read, in their order: all of a
// request without session, those of a session that are due.
func (f *fetchReply) each(do func(*fetchPart)) {
	if f.session != nil {
		for p := f.session.due.first; p != nil; p = p.next {
			do(p)
		}
		return
	}
	for i := range f.own {
		do(&f.own[i])
	}
}

// nothing says that there is no partition to wait for.
func (f *fetchReply) nothing() bool {
	if f.session != nil {
		return len(f.session.parts) == 0
	}
	return len(f.own) == 0
}

// read reads the partitions, within the limits, and says how many bytes it
// found and whether something cannot wait.
func (f *fetchReply) read() (have int, urgent bool) {
	if f.session != nil {
		f.session.collect()
	}
	image := f.b.image()
	left := min(int(max(f.req.MaxBytes, 0)), f.b.settingsOf(image).fetchMaxBytes)
	f.each(func(p *fetchPart) {
		n := p.read(f.b, image, f.isolation(), max(left-have, 0), have == 0)
		have += n
		urgent = urgent || p.urgent()
	})
	return have, urgent
}

func (f *fetchReply) isolation() replica.Isolation { return replica.Isolation(f.req.IsolationLevel) }

// Encode implements [server.Reply].
func (f *fetchReply) Encode(out *server.Out) error {
	if f.linked {
		f.unlink()
		f.read()
	}
	defer f.leave()
	f.choose()
	f.charge()
	dst := wire.AppendResponseHeader(out.Buf, f.h)
	resp := wire.FetchResponse(f.h.Version)
	out.Buf = resp.Begin(dst, millisOf(f.throttle), f.failureCode(), f.sessionID, topics(f.sent))
	image := f.b.image()
	for rest := f.sent; len(rest) > 0; {
		n := sameTopic(rest)
		out.Buf = resp.Topic(out.Buf, rest[0].key.name, rest[0].key.id, n)
		for _, p := range rest[:n] {
			if err := f.encode(out, resp, image, p); err != nil {
				return err
			}
		}
		out.Buf = resp.EndTopic(out.Buf)
		rest = rest[n:]
	}
	out.Buf = resp.End(out.Buf, f.leaders)
	return nil
}

// choose lists the partitions that the response names. Those of a session
// that have records go to the end of its list, and those that are drained
// leave it.
func (f *fetchReply) choose() {
	if f.empty {
		return
	}
	if f.session == nil {
		for i := range f.own {
			f.sent = append(f.sent, &f.own[i])
		}
		return
	}
	for p := f.session.due.first; p != nil; {
		next := p.next
		if f.full || p.news() {
			f.sent = append(f.sent, p)
			p.sent()
		}
		if p.drained() {
			f.session.due.remove(p)
		}
		p = next
	}
	for _, p := range f.sent {
		if p.result.Range.Size() > 0 {
			f.session.due.remove(p)
			f.session.due.push(p)
		}
	}
}

func (f *fetchReply) failureCode() int16 {
	if f.failure == nil {
		return 0
	}
	return f.failure.Code
}

// encode appends one partition. The reply takes its range over, because the
// session may be read again before the range is written.
func (f *fetchReply) encode(out *server.Out, resp wire.FetchResponse, image *metadata.Image, p *fetchPart) error {
	head := wire.FetchedPartition{
		Partition: p.key.index, PreferredReadReplica: -1, Leader: wire.NoLeader,
		HighWatermark: p.result.HighWatermark, LastStableOffset: p.result.LastStable, LogStartOffset: p.result.LogStart,
		DivergingEpoch: p.result.DivergingEpoch, DivergingEnd: p.result.DivergingEnd,
	}
	if p.err != nil {
		f.fail(&head, image, p)
	}
	if f.isolation() == replica.ReadCommitted {
		head.Aborted = f.abortedIn(p)
	}
	file, position, size := p.result.Range.Section()
	out.Buf = resp.Partition(out.Buf, &head, size)
	if size > 0 {
		p.partition.Sent(size)
		f.ranges = append(f.ranges, p.result.Range)
		p.result.Range = commitlog.Range{}
		if err := out.File(file, position, size); err != nil {
			return err
		}
	}
	out.Buf = resp.EndPartition(out.Buf, &head)
	return nil
}

// abortedIn lists the aborted transactions of a partition: no nil, which
// stands for read_uncommitted.
func (f *fetchReply) abortedIn(p *fetchPart) []wire.AbortedTransaction {
	if f.aborted == nil {
		f.aborted = make([]wire.AbortedTransaction, 0, 4)
	}
	f.aborted = f.aborted[:0]
	for _, t := range p.result.Aborted {
		f.aborted = append(f.aborted, wire.AbortedTransaction{ProducerID: t.ProducerID, FirstOffset: t.FirstOffset})
	}
	return f.aborted
}

// fail turns a partition's error into its code, with what helps the client.
func (f *fetchReply) fail(head *wire.FetchedPartition, image *metadata.Image, p *fetchPart) {
	code := codeOf(p.err)
	head.ErrorCode = code.Code
	head.HighWatermark, head.LastStableOffset = -1, -1
	f.b.Metrics.Failed(wire.KeyFetch, code.Code)
	switch code.Code {
	case kerr.NotLeaderForPartition.Code, kerr.FencedLeaderEpoch.Code:
		if led, ok := imagePartition(image, p.key.name, p.key.id, p.key.index); ok {
			head.Leader, f.leaders = f.b.leaderHint(image, led, f.listener, f.leaders)
		}
	}
}

// leave lets the session's next request begin.
func (f *fetchReply) leave() {
	if f.session != nil {
		f.b.sessions.end(f.session)
		f.session = nil
	}
}

// Release implements [server.Reply].
func (f *fetchReply) Release() {
	f.unlink()
	for _, r := range f.ranges {
		r.Release()
	}
	if f.session != nil { // It was cancelled before it was encoded.
		for p := f.session.due.first; p != nil; p = p.next {
			p.drop()
		}
		f.leave()
	}
	for i := range f.own {
		f.own[i].drop() // What Encode sent is in ranges.
	}
	f.b.hot.giveFetch(f)
}

// topics counts the runs of partitions of one topic.
func topics(parts []*fetchPart) (n int) {
	for ; len(parts) > 0; n++ {
		parts = parts[sameTopic(parts):]
	}
	return n
}

// sameTopic counts the partitions from the first on that are of its topic.
func sameTopic(parts []*fetchPart) int {
	n := 1
	for n < len(parts) && parts[n].key.id == parts[0].key.id && parts[n].key.name == parts[0].key.name {
		n++
	}
	return n
}
