package replica_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/millrace-io/millrace/broker/internal/cleaner"
	"github.com/millrace-io/millrace/broker/internal/commitlog"
	"github.com/millrace-io/millrace/broker/internal/producerstate"
	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/broker/internal/wait"
	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

func TestItem46_MarkersFenceOldCoordinators(t *testing.T)  { play(t, "item46_markers") }
func TestItem47_LSOWaitsForTheMarkerToCommit(t *testing.T) { play(t, "item47_lso") }
func TestItem48_AbortedTransactions(t *testing.T)          { play(t, "item48_aborted") }
func TestItem49_ReadCommittedEndsAtTheLSO(t *testing.T)    { play(t, "item49_read_committed") }
func TestItem50_MarkersConsumeOffsets(t *testing.T)        { play(t, "item50_offsets") }

// item 44 and 45, the data plane's part: what may begin a transaction here.
func TestItem45_UnverifiedPartition(t *testing.T) { play(t, "item45_verify") }

func TestB13OldProducerEpoch(t *testing.T) { play(t, "b13_old_epoch") }

// Transactions that stand open over a stop and over a loss of power.
func TestTransactionsSurvive(t *testing.T) { play(t, "survive") }

// What is left of transactions once their log is compacted, over crashes.
func TestItem101_TransactionsAreCompacted(t *testing.T) { play(t, "item101_compacted") }

// play runs one script of testdata/txn against a partition.
func play(t *testing.T, name string) {
	d := &dialogue{mem: vfs.NewMem(), config: replica.Config{Delete: true}, guards: map[int64]producerstate.Guard{}}
	d.w = newWorld(d.mem)
	datadriven.RunTest(t, "testdata/txn/"+name+".txt", func(t *testing.T, in *datadriven.TestData) string {
		if d.p == nil {
			d.epoch++
			d.p = d.w.lead(t, d.config, d.epoch)
		}
		return d.do(t, in)
	})
}

// dialogue is a partition that a script talks to.
//
//	produce P SEQ N [epoch=E] [plain] [guard=no|asked|kept]
//	                          N records of producer P; the coordinator says that
//	                          the partition is in the transaction, unless told
//	ask P SEQ                 begin to ask the coordinator; guard=kept appends
//	                          under what that gave
//	marker P commit|abort [epoch=E] [coordinator=C] [v2]
//	flush, restart, crash
//	read OFFSET [max=BYTES] [uncommitted]
//	latest                    what ListOffsets says
//	delete OFFSET             DeleteRecords
//	segments BYTES            before anything else
//	compacted                 the topic is compacted from here on; records have
//	                          the key that key=K says
//	compact                   roll, flush, checkpoint, and run the cleaner
//	wait MINUTES              delete.retention.ms is an hour
type dialogue struct {
	mem    *vfs.Mem
	w      *world
	p      *replica.Partition
	config replica.Config
	epoch  int32
	guards map[int64]producerstate.Guard
}

func (d *dialogue) do(t *testing.T, in *datadriven.TestData) string {
	switch in.Cmd {
	case "segments":
		d.config.Log = commitlog.Config{SegmentBytes: number(t, in.CmdArgs[0].Key), IndexInterval: 1}
		d.p.Configure(d.config)
		return ""
	case "produce", "ask":
		return d.produce(t, in)
	case "marker":
		m := replica.Marker{
			ProducerID: number(t, in.CmdArgs[0].Key), Commit: in.CmdArgs[1].Key == "commit",
			ProducerEpoch: int16(option(t, in, "epoch", 0)), CoordinatorEpoch: int32(option(t, in, "coordinator", 0)),
		}
		if in.HasArg("v2") {
			m.TransactionVersion = 2
		}
		return d.said(d.p.WriteMarker(m))
	case "compacted":
		d.config.Compact, d.config.Log.Compacted = true, true
		d.config.Cleaning = cleaner.Policy{MaxLag: cleaner.Unlimited, DeleteRetention: time.Hour}
		d.p.Configure(d.config)
		return ""
	case "compact":
		return d.compact(t)
	case "wait":
		d.w.now = d.w.now.Add(time.Duration(number(t, in.CmdArgs[0].Key)) * time.Minute)
		return ""
	case "flush":
		d.w.flush()
	case "restart":
		d.w.restart(t)
		d.reopen(t)
	case "crash":
		d.w.checkpointOne(t, d.p, false)
		d.mem = d.mem.Crash(nil)
		d.w.fs = d.mem
		d.w.boot()
		d.reopen(t)
	case "delete":
		start, err := d.p.DeleteRecords(number(t, in.CmdArgs[0].Key))
		if err != nil {
			return err.Error() + "\n"
		}
		return fmt.Sprintf("start %d lso %d\n", start, d.p.LastStable())
	case "read":
		return d.read(t, in)
	case "latest":
		a, errA := d.p.ListOffset(replica.Latest, -1, replica.ReadUncommitted)
		b, errB := d.p.ListOffset(replica.Latest, -1, replica.ReadCommitted)
		if err := errors.Join(errA, errB); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("read_uncommitted %d, read_committed %d\n", a.Offset, b.Offset)
	default:
		t.Fatalf("unknown command %s", in.Cmd)
	}
	return d.position()
}

// compact runs the cleaner over everything that is closed and stable.
func (d *dialogue) compact(t *testing.T) string {
	if err := d.p.Log().Roll(); err != nil {
		t.Fatal(err)
	}
	d.w.flush()
	d.w.checkpointOne(t, d.p, false)
	dirt, err := d.p.Dirt(d.w.now, 0, d.w.places[d.p.Dir()].RecoveryPoint)
	if err != nil || !dirt.Due {
		return fmt.Sprintf("not due: %+v, %v\n", dirt, err)
	}
	result, err := d.p.Compact(dirt, d.w.now, cleaner.NewOffsetMap(1<<20), nil)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("cleaned to %d, %d records dropped\n", result.Cleaned, result.Dropped)
}

func (d *dialogue) reopen(t *testing.T) {
	d.epoch++
	d.p = d.w.lead(t, d.config, d.epoch)
}

func (d *dialogue) position() string {
	return fmt.Sprintf("end %d hw %d lso %d\n", d.p.LogEnd(), d.p.HighWatermark(), d.p.LastStable())
}

func (d *dialogue) said(r replica.AppendResult, err error) string {
	for _, kind := range []error{
		replica.ErrInvalidTxnState, producerstate.ErrInvalidEpoch, producerstate.ErrCoordinatorFenced, producerstate.ErrTxnState,
		producerstate.ErrOutOfOrderSequence,
	} {
		if errors.Is(err, kind) {
			return kind.Error() + "\n"
		}
	}
	if err != nil {
		return err.Error() + "\n"
	}
	what := "at"
	if r.Duplicate {
		what = "duplicate of"
	}
	return fmt.Sprintf("%s %d-%d, %s", what, r.BaseOffset, r.LastOffset, d.position())
}

func (d *dialogue) produce(t *testing.T, in *datadriven.TestData) string {
	id, sequence := number(t, in.CmdArgs[0].Key), int32(number(t, in.CmdArgs[1].Key))
	n := int64(1)
	if in.Cmd == "produce" {
		n = number(t, in.CmdArgs[2].Key)
	}
	var bl record.Builder
	bl.SetProducer(id, int16(option(t, in, "epoch", 0)), sequence)
	bl.SetTransactional(!in.HasArg("plain"))
	for i := range n {
		r := record.Record{Timestamp: start.UnixMilli() + i, Value: []byte("value")}
		if in.HasArg("key") {
			var key string
			in.ScanArgs(t, "key", &key)
			r.Key = []byte(key)
		}
		bl.Append(r)
	}
	b, err := bl.Build()
	if err != nil {
		t.Fatal(err)
	}
	request := anyEpoch
	var kept string
	if in.HasArg("guard") {
		in.ScanArgs(t, "guard", &kept)
	}
	switch {
	case in.Cmd == "ask":
		guard, ask := d.p.Verify(b)
		d.guards[id] = guard
		return fmt.Sprintf("ask %v\n", ask)
	case kept == "kept":
		request.Guard = d.guards[id]
	case kept != "no":
		request.Guard, _ = d.p.Verify(b)
	}
	return d.said(d.p.Append(b, request))
}

func (d *dialogue) read(t *testing.T, in *datadriven.TestData) string {
	request := read(number(t, in.CmdArgs[0].Key))
	request.MaxBytes = int(option(t, in, "max", 1<<20))
	request.Isolation = replica.ReadCommitted
	if in.HasArg("uncommitted") {
		request.Isolation = replica.ReadUncommitted
	}
	r, err := d.p.Read(request)
	if err != nil {
		return err.Error() + "\n"
	}
	defer r.Range.Release()
	data, err := r.Range.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for len(data) > 0 {
		var b record.Batch
		if b, data, err = record.Next(data); err != nil {
			t.Fatal(err)
		}
		kind := "records"
		if b.IsControl() {
			kind = "marker"
		}
		fmt.Fprintf(&out, "%d-%d %s of %d\n", b.BaseOffset(), b.LastOffset(), kind, b.ProducerID())
	}
	for _, a := range r.Aborted {
		fmt.Fprintf(&out, "aborted: %d from %d on\n", a.ProducerID, a.FirstOffset)
	}
	fmt.Fprintf(&out, "hw %d lso %d\n", r.HighWatermark, r.LastStable)
	return out.String()
}

func number(t *testing.T, s string) int64 {
	t.Helper()
	var n int64
	if _, err := fmt.Sscan(s, &n); err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return n
}

func option(t *testing.T, in *datadriven.TestData, name string, otherwise int64) int64 {
	t.Helper()
	i := slices.IndexFunc(in.CmdArgs, func(a datadriven.CmdArg) bool { return a.Key == name })
	if i < 0 {
		return otherwise
	}
	return number(t, in.CmdArgs[i].Vals[0])
}

// A fetch under read_committed waits for the last stable offset: neither the
// records of an open transaction nor its marker wake it, but their commit
// does, with all the bytes that became visible at once.
func TestItem49_FetchWaitsForTheLSO(t *testing.T) {
	w := newWorld(vfs.NewMem())
	p := w.lead(t, replica.Config{}, 1)
	mustAppend(t, p, plain(t, 1))
	w.flush()
	request := read(1)
	request.Isolation = replica.ReadCommitted
	seen, err := p.Read(request)
	if err != nil || seen.Range.Size() != 0 {
		t.Fatalf("%d bytes, %v", seen.Range.Size(), err)
	}
	var size int64
	first := transactional(t, 7, 0, 2)
	guard, _ := p.Verify(first)
	if _, err := p.Append(first, replica.AppendRequest{Acks: replica.AcksAll, LeaderEpoch: -1, Guard: guard}); err != nil {
		t.Fatal(err)
	}
	size += int64(len(first))
	size += int64(len(plain(t, 3)))
	mustAppend(t, p, plain(t, 3))
	_, woken, armed := waits(1, func(w *wait.Waiter) { p.AwaitBytes(w, seen) })
	_, all, allArmed := waits(size, func(w *wait.Waiter) { p.AwaitBytes(w, seen) })
	w.flush()
	if !armed || !allArmed || *woken != 0 {
		t.Fatalf("waits %v and %v, woken %d times by an open transaction", armed, allArmed, *woken)
	}
	if _, err := p.WriteMarker(replica.Marker{ProducerID: 7, Commit: true}); err != nil {
		t.Fatal(err)
	}
	if *woken != 0 {
		t.Fatal("woken by a marker that may still be lost")
	}
	w.flush()
	if *woken != 1 || *all != 1 {
		t.Errorf("woken %d and %d times by the commit", *woken, *all)
	}
	seen, err = p.Read(request)
	if err != nil || int64(seen.Range.Size()) < size {
		t.Errorf("%d bytes, %v", seen.Range.Size(), err)
	}
	seen.Range.Release()
}

// Leadership that is lost ends the wait under either isolation level.
func TestReadCommittedWaitEndsWithTheLeadership(t *testing.T) {
	w := newWorld(vfs.NewMem())
	p := w.lead(t, replica.Config{}, 1)
	request := read(0)
	request.Isolation = replica.ReadCommitted
	seen, err := p.Read(request)
	if err != nil {
		t.Fatal(err)
	}
	_, woken, _ := waits(1, func(w *wait.Waiter) { p.AwaitBytes(w, seen) })
	p.Assign(leads(2, 2))
	if *woken != 1 {
		t.Errorf("woken %d times", *woken)
	}
}

// transactional builds a batch of a transaction.
func transactional(t fatal, id int64, sequence int32, n int) record.Batch {
	t.Helper()
	var bl record.Builder
	bl.SetProducer(id, 0, sequence)
	bl.SetTransactional(true)
	for range n {
		bl.Append(record.Record{Timestamp: start.UnixMilli(), Value: []byte("value")})
	}
	b, err := bl.Build()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(b)
}
