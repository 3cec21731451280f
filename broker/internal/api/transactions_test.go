package api

import (
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/controller"
	"github.com/millrace-io/millrace/internal/record"
)

// A transactor is a client with a transactional id that says what it sends.
type transactor struct {
	*client
	t        *testing.T
	id       string
	producer int64
	epoch    int16
	sequence map[int32]int32 // next, by partition
}

func (n *node) transactor(t *testing.T, id string) *transactor {
	t.Helper()
	p := &transactor{client: n.client(t), t: t, id: id, producer: -1, epoch: -1}
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.Version, find.CoordinatorType, find.CoordinatorKeys = 4, 1, []string{id}
	if got := ask[*kmsg.FindCoordinatorResponse](p.client, find).Coordinators[0]; got.ErrorCode != 0 || got.NodeID != 1 {
		t.Fatalf("FindCoordinator: %+v", got)
	}
	if err := n.txns.AwaitLoaded(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

// expect fails unless a request ended so.
func (p *transactor) expect(what string, code int16, want *kerr.Error) {
	p.t.Helper()
	wanted := int16(0)
	if want != nil {
		wanted = want.Code
	}
	if code != wanted {
		p.t.Fatalf("%s: %v, want %v", what, kerr.ErrorForCode(code), kerr.ErrorForCode(wanted))
	}
}

func (p *transactor) init(version int16) int16 {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.Version, req.TransactionalID, req.TransactionTimeoutMillis = version, &p.id, 60_000
	req.ProducerID, req.ProducerEpoch = p.producer, p.epoch
	resp := ask[*kmsg.InitProducerIDResponse](p.client, req)
	if resp.ErrorCode == 0 {
		p.producer, p.epoch, p.sequence = resp.ProducerID, resp.ProducerEpoch, map[int32]int32{}
	}
	return resp.ErrorCode
}

// add returns the codes of the partitions of the topic t.
func (p *transactor) add(version int16, verify bool, partitions ...int32) []int16 {
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.Version = version
	var codes []int16
	if version < 4 {
		req.TransactionalID, req.ProducerID, req.ProducerEpoch = p.id, p.producer, p.epoch
		req.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: "t", Partitions: partitions}}
		for _, r := range ask[*kmsg.AddPartitionsToTxnResponse](p.client, req).Topics[0].Partitions {
			codes = append(codes, r.ErrorCode)
		}
		return codes
	}
	req.Transactions = []kmsg.AddPartitionsToTxnRequestTransaction{{
		TransactionalID: p.id, ProducerID: p.producer, ProducerEpoch: p.epoch, VerifyOnly: verify,
		Topics: []kmsg.AddPartitionsToTxnRequestTransactionTopic{{Topic: "t", Partitions: partitions}},
	}}
	for _, r := range ask[*kmsg.AddPartitionsToTxnResponse](p.client, req).Transactions[0].Topics[0].Partitions {
		codes = append(codes, r.ErrorCode)
	}
	return codes
}

// batch is one of a transaction.
func (p *transactor) batch(partition int32) record.Batch {
	var b record.Builder
	b.SetProducer(p.producer, p.epoch, p.sequence[partition])
	b.SetTransactional(true)
	b.Append(record.Record{Timestamp: time.Now().UnixMilli(), Value: []byte("v")})
	batch, err := b.Build()
	if err != nil {
		p.t.Fatal(err)
	}
	return batch
}

func (p *transactor) produce(version int16, partition int32) int16 {
	req := produceTo(version, -1, "t", [16]byte{}, partition, p.batch(partition))
	req.TransactionID = &p.id
	code := produced(p.client, req).ErrorCode
	if code == 0 {
		p.sequence[partition]++
	}
	return code
}

func (p *transactor) end(version int16, commit bool) *kmsg.EndTxnResponse {
	req := kmsg.NewPtrEndTxnRequest()
	req.Version, req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = version, p.id, p.producer, p.epoch, commit
	for {
		resp := ask[*kmsg.EndTxnResponse](p.client, req)
		if resp.ErrorCode != kerr.ConcurrentTransactions.Code {
			return resp
		}
	}
}

func (p *transactor) must(code int16) {
	p.t.Helper()
	p.expect("request", code, nil)
}

func withTopic(t *testing.T) *node {
	n := start(t, setup{})
	n.createTopic(t, controller.NewTopic{Name: "t", Partitions: 3, Replicas: 1})
	return n
}

// A fenced producer is told so, in the words that the version of its request
// knows (KIP-588), and Produce says INVALID_PRODUCER_EPOCH.
func TestItem38_FencedCodes(t *testing.T) {
	n := withTopic(t)
	zombie, successor := n.transactor(t, "tx"), n.transactor(t, "tx")
	zombie.must(zombie.init(4))
	zombie.must(zombie.add(3, false, 0)[0])
	zombie.must(zombie.produce(9, 0))
	for successor.init(4) == kerr.ConcurrentTransactions.Code {
	}
	if successor.epoch != zombie.epoch+2 {
		t.Fatalf("epoch %d after %d: the transaction under way is aborted with one between", successor.epoch, zombie.epoch)
	}
	zombie.expect("Produce", zombie.produce(9, 0), kerr.InvalidProducerEpoch)
	zombie.expect("Produce v12", zombie.produce(12, 1), kerr.InvalidProducerEpoch)
	zombie.expect("AddPartitionsToTxn v1", zombie.add(1, false, 0)[0], kerr.InvalidProducerEpoch)
	zombie.expect("AddPartitionsToTxn v2", zombie.add(2, false, 0)[0], kerr.ProducerFenced)
	zombie.expect("EndTxn v1", zombie.end(1, true).ErrorCode, kerr.InvalidProducerEpoch)
	zombie.expect("EndTxn v2", zombie.end(2, true).ErrorCode, kerr.ProducerFenced)
	zombie.expect("InitProducerId v3", zombie.init(3), kerr.InvalidProducerEpoch)
	zombie.expect("InitProducerId v4", zombie.init(4), kerr.ProducerFenced)
}

// With transactions v2 the first batch makes its partition a part of the
// transaction, and the end hands out the next epoch, also to a retry.
func TestItem44_TransactionsV2(t *testing.T) {
	n := withTopic(t)
	p := n.transactor(t, "tx")
	p.must(p.init(5))
	for range 3 {
		p.must(p.produce(12, 0))
		p.must(p.produce(12, 1))
		p.must(p.produce(12, 1))
		first := p.end(5, true)
		p.must(first.ErrorCode)
		if first.ProducerID != p.producer || first.ProducerEpoch != p.epoch+1 {
			t.Fatalf("producer %d epoch %d goes on as %d epoch %d", p.producer, p.epoch, first.ProducerID, first.ProducerEpoch)
		}
		if again := p.end(5, true); again.ErrorCode != 0 || again.ProducerEpoch != first.ProducerEpoch {
			t.Fatalf("retried: %+v, want %+v", again, first)
		}
		late := p.produce(12, 0)
		p.expect("a batch of the transaction before", late, kerr.InvalidProducerEpoch)
		p.epoch, p.sequence = first.ProducerEpoch, map[int32]int32{}
	}
	if got := p.end(5, false); got.ErrorCode != 0 || got.ProducerEpoch != p.epoch+1 {
		t.Fatalf("abort of nothing: %+v", got)
	}
}

// A reply is used again for the next request: that must not find anything of a
// transaction of several partitions in it.
func TestItem44_ProduceAfterATransactionOfSeveralPartitions(t *testing.T) {
	n := withTopic(t)
	p := n.transactor(t, "tx")
	p.must(p.init(5))
	for range 20 { // The pool of replies does not always give back the last one.
		req := produceTo(12, -1, "t", [16]byte{}, 0, p.batch(0))
		req.TransactionID = &p.id
		for partition := range int32(2) {
			more := kmsg.NewProduceRequestTopicPartition()
			more.Partition, more.Records = partition+1, p.batch(partition+1)
			req.Topics[0].Partitions = append(req.Topics[0].Partitions, more)
		}
		for _, got := range ask[*kmsg.ProduceResponse](p.client, req).Topics[0].Partitions {
			p.must(got.ErrorCode)
		}
		for partition := range int32(3) {
			p.must(produced(p.client, produceTo(12, -1, "t", [16]byte{}, partition, batch(t, "plain"))).ErrorCode)
		}
		end := p.end(5, true)
		p.must(end.ErrorCode)
		p.epoch, p.sequence = end.ProducerEpoch, map[int32]int32{}
	}
}

func TestItem45_Verification(t *testing.T) {
	n := withTopic(t)
	p := n.transactor(t, "tx")
	p.must(p.init(4))
	t.Run("B14: a partition that nobody announced", func(t *testing.T) {
		p.expect("Produce v9", p.produce(9, 0), kerr.InvalidTxnState)
		p.expect("Produce v11", p.produce(11, 0), kerr.TransactionAbortable)
	})
	p.must(p.add(3, false, 0)[0])
	p.must(p.produce(9, 0))
	p.expect("Produce to another", p.produce(9, 1), kerr.InvalidTxnState)
	if got := p.add(4, true, 0, 1); !slices.Equal(got, []int16{0, kerr.InvalidTxnState.Code}) {
		t.Errorf("verified by v4: %v", got)
	}
	if got := p.add(5, true, 0, 1); !slices.Equal(got, []int16{0, kerr.TransactionAbortable.Code}) {
		t.Errorf("verified by v5: %v", got)
	}
	p.must(p.end(3, true).ErrorCode)
	// The batch that was delayed until after the end, and the markers of it.
	for p.end(3, true).ErrorCode == kerr.ConcurrentTransactions.Code {
	}
	p.expect("Produce after the end", p.produce(9, 0), kerr.InvalidTxnState)
}

func TestB15_EndTxnTwice(t *testing.T) {
	n := withTopic(t)
	p := n.transactor(t, "tx")
	p.must(p.init(4))
	p.expect("an end of nothing", p.end(3, true).ErrorCode, kerr.InvalidTxnState)
	p.must(p.add(3, false, 0)[0])
	p.must(p.end(3, true).ErrorCode)
	p.must(p.end(3, true).ErrorCode)
	p.expect("another end", p.end(3, false).ErrorCode, kerr.InvalidTxnState)
	p.epoch--
	p.expect("of another epoch", p.end(3, true).ErrorCode, kerr.ProducerFenced)
	p.producer++
	p.expect("of another producer", p.end(3, true).ErrorCode, kerr.InvalidProducerIDMapping)
	p.id = ""
	p.expect("of no id", p.end(3, true).ErrorCode, kerr.InvalidRequest)
}

// Partitions are added all or none.
func TestAddPartitionsToTxnAllOrNone(t *testing.T) {
	n := withTopic(t)
	p := n.transactor(t, "tx")
	p.must(p.init(4))
	want := []int16{kerr.OperationNotAttempted.Code, kerr.UnknownTopicOrPartition.Code}
	if got := p.add(3, false, 0, 7); !slices.Equal(got, want) {
		t.Errorf("codes %v, want %v", got, want)
	}
	p.expect("Produce to the first", p.produce(9, 0), kerr.InvalidTxnState)
}

func TestItem43_InvalidTimeout(t *testing.T) {
	n := start(t, setup{})
	p := n.transactor(t, "tx")
	for _, ms := range []int32{0, -1, 15*60_000 + 1} {
		req := kmsg.NewPtrInitProducerIDRequest()
		req.Version, req.TransactionalID, req.TransactionTimeoutMillis = 4, &p.id, ms
		p.expect("InitProducerId", ask[*kmsg.InitProducerIDResponse](p.client, req).ErrorCode, kerr.InvalidTransactionTimeout)
	}
}

func TestItem52_ListAndDescribeTransactions(t *testing.T) {
	n := withTopic(t)
	idle, busy := n.transactor(t, "idle"), n.transactor(t, "busy")
	idle.must(idle.init(4))
	busy.must(busy.init(4))
	busy.must(busy.add(3, false, 2, 0)[0])
	list := func(change func(*kmsg.ListTransactionsRequest)) []string {
		req := kmsg.NewPtrListTransactionsRequest()
		req.Version = 2
		change(req)
		var ids []string
		for _, s := range ask[*kmsg.ListTransactionsResponse](idle.client, req).TransactionStates {
			ids = append(ids, s.TransactionalID+" "+s.TransactionState)
		}
		slices.Sort(ids)
		return ids
	}
	for _, c := range []struct {
		name   string
		change func(*kmsg.ListTransactionsRequest)
		want   []string
	}{
		{"all", func(*kmsg.ListTransactionsRequest) {}, []string{"busy Ongoing", "idle Empty"}},
		{"by state", func(r *kmsg.ListTransactionsRequest) { r.StateFilters = []string{"Ongoing"} }, []string{"busy Ongoing"}},
		{"by a state that there is not", func(r *kmsg.ListTransactionsRequest) { r.StateFilters = []string{"Lazy"} }, nil},
		{"by producer", func(r *kmsg.ListTransactionsRequest) { r.ProducerIDFilters = []int64{idle.producer} }, []string{"idle Empty"}},
		{"longer than nothing", func(r *kmsg.ListTransactionsRequest) { r.DurationFilterMillis = 0; elapseReally() }, []string{"busy Ongoing"}},
		{"longer than an hour", func(r *kmsg.ListTransactionsRequest) { r.DurationFilterMillis = 3_600_000 }, nil},
		{"by pattern", func(r *kmsg.ListTransactionsRequest) { r.TransactionalIDPattern = new("i.*") }, []string{"idle Empty"}},
		{"by a pattern of a part", func(r *kmsg.ListTransactionsRequest) { r.TransactionalIDPattern = new("us") }, nil},
	} {
		if got := list(c.change); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	bad := kmsg.NewPtrListTransactionsRequest()
	bad.Version, bad.TransactionalIDPattern = 2, new("(")
	idle.expect("a pattern that is none", ask[*kmsg.ListTransactionsResponse](idle.client, bad).ErrorCode, kerr.InvalidRegularExpression)

	req := kmsg.NewPtrDescribeTransactionsRequest()
	req.TransactionalIDs = []string{"busy", "idle", "nobody", ""}
	got := ask[*kmsg.DescribeTransactionsResponse](idle.client, req).TransactionStates
	if b := got[0]; b.State != "Ongoing" || b.ProducerID != busy.producer || b.TimeoutMillis != 60_000 || b.StartTimestamp <= 0 ||
		len(b.Topics) != 1 || !slices.Equal(b.Topics[0].Partitions, []int32{0, 2}) {
		t.Errorf("busy: %+v", b)
	}
	if i := got[1]; i.State != "Empty" || i.StartTimestamp != -1 || len(i.Topics) != 0 {
		t.Errorf("idle: %+v", i)
	}
	idle.expect("nobody", got[2].ErrorCode, kerr.TransactionalIDNotFound)
	idle.expect("no id", got[3].ErrorCode, kerr.InvalidRequest)
}

// elapseReally lets the clock of milliseconds move on.
func elapseReally() { <-time.After(2 * time.Millisecond) }

// loadGroups waits until the coordinator of a group is loaded.
func (n *node) loadGroups(t *testing.T, id string) {
	t.Helper()
	c := n.client(t)
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.Version, find.CoordinatorKeys = 4, []string{id}
	ask[*kmsg.FindCoordinatorResponse](c, find)
	if err := n.groups.AwaitLoaded(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Offsets of a transaction are for the group when it commits, whichever way the
// client speaks of them.
func TestItem51_TxnOffsetCommit(t *testing.T) {
	for _, version := range []int16{0, 3, 4, 5, 6} {
		n := withTopic(t)
		p := n.transactor(t, "tx")
		p.must(p.init(4))
		commit := func(offset int64) int16 {
			req := kmsg.NewPtrTxnOffsetCommitRequest()
			req.Version, req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch = version, p.id, "g", p.producer, p.epoch
			topic := kmsg.TxnOffsetCommitRequestTopic{Topic: "t", Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{{Offset: offset}}}
			if image, ok := n.images.Image().Topic("t"); ok && version >= 6 {
				topic.TopicID = image.ID
			}
			req.Topics = []kmsg.TxnOffsetCommitRequestTopic{topic}
			return ask[*kmsg.TxnOffsetCommitResponse](p.client, req).Topics[0].Partitions[0].ErrorCode
		}
		if version < 5 {
			p.expect("before the group is in the transaction", commit(5), kerr.InvalidTxnState)
			n.loadGroups(t, "g")
			add := kmsg.NewPtrAddOffsetsToTxnRequest()
			add.Version, add.TransactionalID, add.Group, add.ProducerID, add.ProducerEpoch = 3, p.id, "g", p.producer, p.epoch
			p.must(ask[*kmsg.AddOffsetsToTxnResponse](p.client, add).ErrorCode)
		}
		n.loadGroups(t, "g")
		p.must(commit(5))
		fetch := func(stable bool) kmsg.OffsetFetchResponseGroupTopicPartition {
			req := kmsg.NewPtrOffsetFetchRequest()
			req.Version, req.RequireStable = 8, stable
			req.Groups = []kmsg.OffsetFetchRequestGroup{{Group: "g", Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: "t", Partitions: []int32{0}}}}}
			return ask[*kmsg.OffsetFetchResponse](p.client, req).Groups[0].Topics[0].Partitions[0]
		}
		if got := fetch(false); got.Offset != -1 || got.ErrorCode != 0 {
			t.Errorf("v%d: pending shows %+v", version, got)
		}
		p.expect("stable fetch", fetch(true).ErrorCode, kerr.UnstableOffsetCommit)
		p.must(p.end(3, true).ErrorCode)
		for fetch(true).ErrorCode == kerr.UnstableOffsetCommit.Code {
		}
		if got := fetch(false); got.Offset != 5 {
			t.Errorf("v%d: committed shows %+v", version, got)
		}
	}
}
