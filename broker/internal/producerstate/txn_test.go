package producerstate_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/millrace-io/millrace/broker/internal/producerstate"
	"github.com/millrace-io/millrace/internal/record"
)

// inTxn makes a batch one of a transaction.
func inTxn(t fatal, id int64, sequence int32, records int) record.Batch {
	t.Helper()
	var bl record.Builder
	bl.SetProducer(id, 0, sequence)
	bl.SetTransactional(true)
	for range records {
		bl.Append(record.Record{Timestamp: 1000})
	}
	b, err := bl.Build()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(b)
}

func marker(t fatal, id int64, commit bool) record.Batch {
	t.Helper()
	b, err := producerstate.Marker{Committed: commit, CoordinatorEpoch: 1}.Batch(id, 0, 2000)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A marker is Kafka's control record, byte for byte.
func TestMarkerIsKafkas(t *testing.T) {
	b, err := producerstate.Marker{Committed: true, CoordinatorEpoch: 0x01020304}.Batch(7, 3, 2000)
	if err != nil {
		t.Fatal(err)
	}
	if !b.IsControl() || !b.IsTransactional() || b.BaseSequence() != -1 || b.ProducerID() != 7 || b.ProducerEpoch() != 3 || b.Count() != 1 {
		t.Errorf("marker %v with attributes %b, sequence %d", b, b.Attributes(), b.BaseSequence())
	}
	for r, err := range b.Records() {
		if err != nil || string(r.Key) != "\x00\x00\x00\x01" || string(r.Value) != "\x00\x00\x01\x02\x03\x04" {
			t.Errorf("key %x value %x (%v)", r.Key, r.Value, err)
		}
	}
	m, found, err := producerstate.ParseMarker(b)
	if !found || err != nil || !m.Committed || m.CoordinatorEpoch != 0x01020304 {
		t.Errorf("read back as %+v, %v, %v", m, found, err)
	}
}

// interval is a transaction of the model: the marker is -1 while it is open.
type interval struct {
	id, first, position, marker int64
}

// unstable is the first transaction that holds the last stable offset back.
func unstable(all []interval, highWatermark int64) (first interval, found bool) {
	for _, x := range all {
		if (x.marker < 0 || x.marker >= highWatermark) && (!found || x.first < first.first) {
			first, found = x, true
		}
	}
	return first, found
}

// Many transactions over drains that fail or succeed, restarts from snapshots,
// and a high watermark that follows in steps: the first unstable one is what
// going over all of them says, and what has ended is told with its beginning.
func TestItem47_FirstUnstableAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &partition{state: producerstate.New(time.Hour), now: start}
		var all []interval
		var highWatermark int64
		sequences := map[int64]int32{}
		openOf := func(id int64) int {
			return slices.IndexFunc(all, func(x interval) bool { return x.id == id && x.marker < 0 })
		}
		one := func() {
			id := rapid.Int64Range(1, 5).Draw(t, "producer")
			b := inTxn(t, id, sequences[id], 1)
			ends := rapid.IntRange(0, 2).Draw(t, "ends") == 0
			if ends {
				b = marker(t, id, rapid.Bool().Draw(t, "commit"))
			} else {
				sequences[id]++
			}
			b.Stamp(p.end, 1)
			p.state.Update(b, p.now, 10*p.end)
			i := openOf(id)
			switch {
			case ends && i >= 0:
				all[i].marker = p.end
				told := p.state.Ended()
				if last := told[len(told)-1]; last.FirstOffset != all[i].first || last.LastOffset != p.end || last.ProducerID != id {
					t.Fatalf("the marker at %d ended %+v, the model says %+v", p.end, last, all[i])
				}
			case !ends && i < 0:
				all = append(all, interval{id, p.end, 10 * p.end, -1})
			}
			p.end++
		}
		t.Repeat(map[string]func(*rapid.T){
			"drain": func(*rapid.T) {
				before, end := slices.Clone(all), p.end
				was := [6]int32{}
				for id := range int64(6) {
					was[id] = sequences[id]
				}
				for range rapid.IntRange(1, 6).Draw(t, "batches") {
					one()
				}
				if rapid.IntRange(0, 3).Draw(t, "fails") > 0 {
					p.state.Commit()
					return
				}
				p.state.Rollback()
				all, p.end = before, end
				for id := range int64(6) {
					sequences[id] = was[id]
				}
			},
			"commit": func(*rapid.T) {
				highWatermark = rapid.Int64Range(highWatermark, p.end).Draw(t, "high watermark")
				p.state.Settle(highWatermark)
			},
			"restart": func(*rapid.T) {
				saved := p.state.AppendSnapshot(nil)
				p.state = producerstate.New(time.Hour)
				if err := p.state.LoadSnapshot(saved, p.now); err != nil {
					t.Fatal(err)
				}
				highWatermark = p.end // recovery makes all of it durable
				for i := range all {
					all[i].position = 0
				}
			},
			"": func(t *rapid.T) {
				want, found := unstable(all, highWatermark)
				got, ok := p.state.FirstUnstable()
				if ok != found || ok && (got.FirstOffset != want.first || got.Position != want.position || got.ProducerID != want.id) {
					t.Fatalf("under high watermark %d: %+v %v, the model says %+v %v", highWatermark, got, ok, want, found)
				}
				for id := range int64(6) {
					if p.state.Ongoing(id, 0) != (openOf(id) >= 0) {
						t.Fatalf("producer %d ongoing: %v", id, p.state.Ongoing(id, 0))
					}
				}
			},
		})
	})
}

// A producer whose transaction stands open is not forgotten, however long it
// has been silent: its marker has to find it.
func TestItem39_OpenTransactionsDoNotExpire(t *testing.T) {
	s := producerstate.New(time.Hour)
	b := inTxn(t, 7, 0, 1)
	b.Stamp(0, 0)
	s.Update(b, start, 0)
	s.Commit()
	s.Expire(start.Add(100 * time.Hour))
	if !s.Ongoing(7, 0) {
		t.Fatal("forgotten with its transaction open")
	}
	end := marker(t, 7, true)
	end.Stamp(1, 0)
	s.Update(end, start.Add(100*time.Hour), 0)
	s.Commit()
	s.Expire(start.Add(102 * time.Hour))
	if s.Len() != 0 {
		t.Error("not forgotten an hour after its transaction")
	}
}

// What is asked and never answered does not pile up.
func TestVerificationsAreForgotten(t *testing.T) {
	s := producerstate.New(time.Hour)
	var oldest producerstate.Guard
	first := inTxn(t, 0, 0, 1)
	for id := range int64(5000) {
		b := inTxn(t, id, 0, 1)
		g, ask := s.Verify(b, start.Add(time.Duration(id)*time.Second))
		if !ask {
			t.Fatal("nothing is asked")
		}
		if id == 0 {
			oldest = g
		}
	}
	if s.Verified(first, oldest) {
		t.Error("a question of an hour ago is remembered")
	}
	if g, _ := s.Verify(first, start.Add(5000*time.Second)); !s.Verified(first, g) || g == oldest {
		t.Error("asked anew, the answer does not count")
	}
}
