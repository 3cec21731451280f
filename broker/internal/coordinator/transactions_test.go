package coordinator

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace-io/millrace/broker/internal/turn"
	"github.com/millrace-io/millrace/broker/internal/txn"
)

// A scribe writes markers when the test says so.
type scribe struct {
	mu      sync.Mutex
	written []Marker
	fail    error
	hold    bool
	held    []func(error)
}

func (s *scribe) WriteMarker(_ txn.Partition, m Marker, done func(error)) {
	s.mu.Lock()
	s.written = append(s.written, m)
	err, hold := s.fail, s.hold
	if hold {
		s.held = append(s.held, done)
	}
	s.mu.Unlock()
	if !hold {
		done(err)
	}
}

func (s *scribe) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.written)
}

func (s *scribe) failing(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

// transacting runs Transactions that lead the only partition, in a bubble of
// virtual time, until the test is over.
func transacting(t *testing.T, log *memLog, marks *scribe, test func(t *testing.T, x *Transactions)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		x := NewTransactions(TransactionOptions{Txn: txn.Options{MaxTimeout: time.Hour, Expiration: 24 * time.Hour}, Markers: marks})
		ctx, cancel := context.WithCancel(t.Context())
		var run sync.WaitGroup
		run.Go(func() { _ = x.Run(ctx) })
		x.Lead(0, 1, log)
		if err := x.AwaitLoaded(ctx); err != nil {
			t.Fatal(err)
		}
		test(t, x)
		cancel()
		run.Wait()
	})
}

func initProducer(x *Transactions) inbox[txn.Granted] {
	return asked(func(reply func(txn.Granted)) {
		x.InitProducerID("tx", &txn.Init{Timeout: time.Minute, Expected: txn.NoProducer, Fresh: 1000}, reply)
	})
}

func addPartition(x *Transactions, p turn.Producer) inbox[*kerr.Error] {
	return asked(func(reply func(*kerr.Error)) {
		x.AddPartitions("tx", &txn.Add{Producer: p, Partitions: []txn.Partition{{Topic: "t"}, {Topic: "t", Index: 1}}}, reply)
	})
}

func endTransaction(x *Transactions, p turn.Producer) inbox[txn.Granted] {
	return asked(func(reply func(txn.Granted)) {
		x.EndTransaction("tx", &txn.End{Producer: p, Commit: true, Fresh: txn.NoID}, reply)
	})
}

func phase(t *testing.T, x *Transactions) txn.Phase {
	t.Helper()
	return asked(func(reply func(txn.Description)) { x.DescribeTransaction("tx", reply) }).answer(t).Phase
}

// Markers of a decision that a crash could take back would tear the
// transaction (M37), and so would an answer.
func TestItem46_MarkersFollowTheDecision(t *testing.T) {
	log, marks := &memLog{}, &scribe{}
	transacting(t, log, marks, func(t *testing.T, x *Transactions) {
		granted := initProducer(x)
		granted.waits(t, "init before the flush")
		log.commit()
		p := granted.answer(t).Producer
		added := addPartition(x, p)
		added.waits(t, "partitions before the flush")
		log.commit()
		if err := added.answer(t); err != nil {
			t.Fatal(err)
		}
		ended := endTransaction(x, p)
		ended.waits(t, "end before the flush")
		if n := marks.count(); n != 0 {
			t.Fatalf("%d markers before the decision is committed", n)
		}
		log.commit()
		if got := ended.answer(t); got.Err != nil {
			t.Fatal(got.Err)
		}
		synctest.Wait()
		if n := marks.count(); n != 2 {
			t.Fatalf("%d markers, want one for each partition", n)
		}
		if m := marks.written[0]; m.ProducerID != p.ID || m.CoordinatorEpoch != log.Epoch() || !m.Commit {
			t.Errorf("marker %+v", m)
		}
		log.commit()
		if got := phase(t, x); got != txn.CompleteCommit {
			t.Errorf("then %v", got)
		}
	})
}

// A marker that cannot be written holds the end up, and no more than that.
func TestMarkersAreTriedAgain(t *testing.T) {
	log, marks := &memLog{automatic: true}, &scribe{fail: errDisk}
	transacting(t, log, marks, func(t *testing.T, x *Transactions) {
		p := initProducer(x).answer(t).Producer
		addPartition(x, p).answer(t)
		endTransaction(x, p).answer(t)
		<-time.After(time.Second) // virtual
		if got := phase(t, x); got != txn.PrepareCommit {
			t.Fatalf("without markers %v", got)
		}
		if n := marks.count(); n < 4 || n > 40 {
			t.Errorf("%d markers were tried in a second", n)
		}
		marks.failing(nil)
		<-time.After(time.Second) // virtual
		if got := phase(t, x); got != txn.CompleteCommit {
			t.Errorf("with markers %v", got)
		}
	})
}

// Who loads the log completes what another has decided.
func TestTakeOverCompletes(t *testing.T) {
	log := &memLog{automatic: true}
	var p turn.Producer
	transacting(t, log, &scribe{hold: true}, func(t *testing.T, x *Transactions) {
		p = initProducer(x).answer(t).Producer
		addPartition(x, p).answer(t)
		endTransaction(x, p).answer(t)
	})
	marks := &scribe{}
	transacting(t, log, marks, func(t *testing.T, x *Transactions) {
		synctest.Wait()
		if n := marks.count(); n != 2 {
			t.Errorf("%d markers after the load", n)
		}
		if got := phase(t, x); got != txn.CompleteCommit {
			t.Errorf("after the load %v", got)
		}
		if list, err := x.ListTransactions(); err != nil || len(list) != 1 || list[0].Producer != p.ID {
			t.Errorf("listed %+v, %v", list, err)
		}
	})
}

// A log that fails drops the shard, and what was decided and not committed is
// forgotten with it.
func TestTransactionsAfterAFailedAppend(t *testing.T) {
	log, marks := &memLog{automatic: true}, &scribe{}
	transacting(t, log, marks, func(t *testing.T, x *Transactions) {
		p := initProducer(x).answer(t).Producer
		log.failAppends(errDisk)
		if err := addPartition(x, p).answer(t); err != kerr.CoordinatorNotAvailable {
			t.Errorf("add on a failing log: %v", err)
		}
		log.failAppends(nil)
		<-time.After(2 * retryLoad) // virtual
		if got := phase(t, x); got != txn.Empty {
			t.Errorf("after the load %v", got)
		}
		if err := addPartition(x, p).answer(t); err != nil {
			t.Errorf("add after the load: %v", err)
		}
	})
}

// Offsets in a transaction become the group's by the marker in their own log,
// for who wrote it and for who loads it; a producer that was fenced is refused
// before the group decides.
func TestItem51_MarkersInTheGroupsLog(t *testing.T) {
	for _, commits := range []bool{true, false} {
		want := int64(-1)
		if commits {
			want = 5
		}
		running(t, func(t *testing.T, r *Groups, log *memLog) {
			log.automatic = true
			if code := txnCommit(r, 7, 0, 5).answer(t); code != 0 {
				t.Fatalf("code %d", code)
			}
			if got := fetchedOffset(fetch(r, "g").answer(t)); got != -1 {
				t.Errorf("pending shows %d", got)
			}
			done := asked(func(reply func(error)) { r.WriteMarker(0, Marker{ProducerID: 7, Commit: commits}, reply) })
			if err := done.answer(t); err != nil {
				t.Fatal(err)
			}
			if got := fetchedOffset(fetch(r, "g").answer(t)); got != want {
				t.Errorf("commit %v shows %d, want %d", commits, got, want)
			}
			r.Lead(0, 1, log)
			if err := r.AwaitLoaded(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := fetchedOffset(fetch(r, "g").answer(t)); got != want {
				t.Errorf("loaded, commit %v shows %d, want %d", commits, got, want)
			}
			log.fenced = 1
			if code := txnCommit(r, 7, 0, 6).answer(t); code != kerr.InvalidProducerEpoch.Code {
				t.Errorf("a fenced producer: code %d", code)
			}
			if code := commitCode(commit(r, "g", 9).answer(t)); code != 0 {
				t.Errorf("others after it: code %d", code)
			}
		})
	}
}
