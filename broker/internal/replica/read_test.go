package replica_test

import (
	"errors"
	"testing"

	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/broker/internal/wait"
	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

func TestReadIsFencedAndBounded(t *testing.T) {
	w := newWorld(vfs.NewMem())
	p := w.lead(t, replica.Config{}, 3)
	mustAppend(t, p, plain(t, 5))
	w.flush()
	mustAppend(t, p, plain(t, 5)) // not flushed
	for _, row := range []struct {
		name    string
		request replica.ReadRequest
		records int64
		want    error
	}{
		{"from the start", read(0), 5, nil},
		{"in the middle of a batch: the whole batch", read(3), 5, nil},
		{"at the high watermark", read(5), 0, nil},
		{"between high watermark and log end", read(7), 0, nil},
		{"at the log end", read(10), 0, nil},
		{"beyond the log end", read(11), 0, replica.ErrOffsetOutOfRange},
		{"negative", read(-1), 0, replica.ErrOffsetOutOfRange},
		{"a first batch above the limit comes all the same", replica.ReadRequest{MaxBytes: 1, MinOne: true, CurrentEpoch: 3, LastFetchedEpoch: -1}, 5, nil},
		{"but only if asked for", replica.ReadRequest{MaxBytes: 1, CurrentEpoch: 3, LastFetchedEpoch: -1}, 0, nil},
		{"older epoch", replica.ReadRequest{CurrentEpoch: 2, LastFetchedEpoch: -1}, 0, replica.ErrFencedEpoch},
		{"newer epoch", replica.ReadRequest{CurrentEpoch: 4, LastFetchedEpoch: -1}, 0, replica.ErrUnknownEpoch},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, err := p.Read(row.request)
			defer r.Range.Release()
			if !errors.Is(err, row.want) {
				t.Fatalf("%v, want %v", err, row.want)
			}
			if fenced := errors.Is(err, replica.ErrFencedEpoch) || errors.Is(err, replica.ErrUnknownEpoch); !fenced &&
				(r.HighWatermark != 5 || r.LastStable != 5 || r.LogStart != 0) {
				t.Errorf("positions %+v", r)
			}
			bytes, _ := r.Range.AppendTo(nil)
			records := int64(0)
			for len(bytes) > 0 {
				var b record.Batch
				if b, bytes, err = record.Next(bytes); err != nil {
					t.Fatal(err)
				}
				records += int64(b.Count())
			}
			if records != row.records {
				t.Errorf("%d records, want %d", records, row.records)
			}
		})
	}
}

// KIP-595: who has batches of epoch 2 up to offset 6, which another leader
// wrote elsewhere, is told where this log parts from it.
func TestItem60_ReadTellsWhereLogsPart(t *testing.T) {
	w := newWorld(vfs.NewMem())
	p := w.lead(t, replica.Config{}, 1)
	mustAppend(t, p, plain(t, 4))
	p.Assign(leads(1, 3))
	mustAppend(t, p, plain(t, 4))
	w.flush()
	r, err := p.Read(replica.ReadRequest{Offset: 6, MaxBytes: 100, CurrentEpoch: 3, LastFetchedEpoch: 2})
	if err != nil || r.DivergingEpoch != 1 || r.DivergingEnd != 4 || r.Range.Size() != 0 {
		t.Errorf("epoch %d end %d, %d bytes, %v", r.DivergingEpoch, r.DivergingEnd, r.Range.Size(), err)
	}
	r, err = p.Read(replica.ReadRequest{Offset: 4, MaxBytes: 1000, CurrentEpoch: 3, LastFetchedEpoch: 1})
	if err != nil || r.DivergingEpoch != -1 || r.Range.Size() == 0 {
		t.Errorf("the same history: epoch %d, %d bytes, %v", r.DivergingEpoch, r.Range.Size(), err)
	}
	r.Range.Release()
	if found, end, err := p.EpochEnd(-1, 2); found != 1 || end != 4 || err != nil {
		t.Errorf("epoch 2 ends with epoch %d at %d, %v", found, end, err)
	}
	if found, end, _ := p.EpochEnd(-1, 9); found != -1 || end != -1 {
		t.Errorf("an unknown epoch ends at %d of epoch %d", end, found)
	}
	if _, _, err := p.EpochEnd(2, 1); !errors.Is(err, replica.ErrFencedEpoch) {
		t.Errorf("asked with an old epoch: %v", err)
	}
}

func TestFetchIsWokenWhenItsBytesAreVisible(t *testing.T) {
	w := newWorld(vfs.NewMem())
	p := w.lead(t, replica.Config{}, 1)
	size := int64(len(plain(t, 1)))
	seen, err := p.Read(read(0))
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, p, plain(t, 1))
	w.flush() // between the read and the wait
	waiter, woken, armed := waits(3*size, func(w *wait.Waiter) { p.AwaitBytes(w, seen) })
	if !armed {
		t.Fatal("a third of the bytes is enough")
	}
	mustAppend(t, p, plain(t, 1))
	w.flush()
	mustAppend(t, p, plain(t, 1))
	if *woken != 0 {
		t.Error("woken before the last batch is visible")
	}
	w.flush()
	if *woken != 1 {
		t.Errorf("woken %d times", *woken)
	}
	waiter.End()
}

func TestListOffsets(t *testing.T) {
	w := newWorld(vfs.NewMem())
	p := w.lead(t, replica.Config{}, 1)
	append3 := func(timestamps ...int64) {
		var bl record.Builder
		for _, ts := range timestamps {
			bl.Append(record.Record{Timestamp: ts})
		}
		b, err := bl.Build()
		if err != nil {
			t.Fatal(err)
		}
		mustAppend(t, p, b)
	}
	append3(100, 300, 200)
	p.Assign(leads(1, 2))
	append3(250, 400, 500)
	w.flush()
	append3(900) // not flushed: nobody may see it
	for _, row := range []struct {
		timestamp int64
		want      replica.Offset
	}{
		{replica.Latest, replica.Offset{Offset: 6, Timestamp: -1, LeaderEpoch: 2}},
		{replica.Earliest, replica.Offset{Offset: 0, Timestamp: -1, LeaderEpoch: 1}},
		{replica.EarliestLocal, replica.Offset{Offset: 0, Timestamp: -1, LeaderEpoch: 1}},
		{replica.LatestTiered, replica.Offset{Offset: -1, Timestamp: -1, LeaderEpoch: -1}},
		{0, replica.Offset{Offset: 0, Timestamp: 100, LeaderEpoch: 1}},
		{201, replica.Offset{Offset: 1, Timestamp: 300, LeaderEpoch: 1}},
		{301, replica.Offset{Offset: 4, Timestamp: 400, LeaderEpoch: 2}},
		{501, replica.Offset{Offset: -1, Timestamp: -1, LeaderEpoch: -1}},
		{901, replica.Offset{Offset: -1, Timestamp: -1, LeaderEpoch: -1}},
	} {
		if got, err := p.ListOffset(row.timestamp, -1, replica.ReadUncommitted); got != row.want || err != nil {
			t.Errorf("timestamp %d: %+v, %v, want %+v", row.timestamp, got, err, row.want)
		}
	}
	w.flush()
	if got, err := p.ListOffset(replica.MaxTimestamp, 2, replica.ReadUncommitted); got != (replica.Offset{Offset: 6, Timestamp: 900, LeaderEpoch: 2}) || err != nil {
		t.Errorf("max timestamp: %+v, %v", got, err)
	}
	if _, err := p.ListOffset(replica.Latest, 1, replica.ReadUncommitted); !errors.Is(err, replica.ErrFencedEpoch) {
		t.Errorf("old epoch: %v", err)
	}
	if _, err := p.ListOffset(-7, -1, replica.ReadUncommitted); !errors.Is(err, replica.ErrUnsupportedTimestamp) {
		t.Errorf("timestamp -7: %v", err)
	}
}

// KIP-207: what a new leader inherited may have been shown as committed; to
// answer with the older high watermark it knows would be going back.
func TestNewLeaderDoesNotAnswerBelowWhatItInherited(t *testing.T) {
	mem := vfs.NewMem()
	w := newWorld(mem)
	p := w.lead(t, replica.Config{}, 1)
	mustAppend(t, p, plain(t, 4))
	w.flush() // the high watermark is 4, its checkpoint has not been written
	w.fs = mem.Crash(nil)
	w.boot()
	if err := w.set.Apply([]replica.Assignment{{
		Topic: "t", TopicID: topicID, // two replicas, and the other has not fetched yet
		Leadership: replica.Leadership{Leader: 1, LeaderEpoch: 2, PartitionEpoch: 2, Replicas: []int32{1, 2}, ISR: []int32{1, 2}},
	}}); err != nil {
		t.Fatal(err)
	}
	p, _ = w.set.Partition("t", 0)
	if p.LogEnd() != 4 || p.HighWatermark() != 0 {
		t.Fatalf("after the crash: %v", p)
	}
	if _, err := p.ListOffset(replica.Latest, -1, replica.ReadUncommitted); !errors.Is(err, replica.ErrOffsetNotAvailable) {
		t.Errorf("latest: %v", err)
	}
	if _, err := p.Read(read(4)); !errors.Is(err, replica.ErrOffsetNotAvailable) {
		t.Errorf("read at what was the high watermark: %v", err)
	}
	if got, err := p.ListOffset(replica.Earliest, -1, replica.ReadUncommitted); got.Offset != 0 || err != nil {
		t.Errorf("earliest: %+v, %v", got, err)
	}
	p.Assign(replica.Leadership{Leader: 1, LeaderEpoch: 2, PartitionEpoch: 3, Replicas: []int32{1, 2}, ISR: []int32{1}})
	if got, err := p.ListOffset(replica.Latest, -1, replica.ReadUncommitted); got.Offset != 4 || err != nil {
		t.Errorf("latest, with the ISR shrunk: %+v, %v", got, err)
	}
}
