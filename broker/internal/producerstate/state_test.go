package producerstate_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"

	"github.com/millrace-io/millrace/broker/internal/producerstate"
	"github.com/millrace-io/millrace/internal/record"
)

var start = time.UnixMilli(1_700_000_000_000)

// fatal is the part of testing.TB that rapid.T has too.
type fatal interface {
	Helper()
	Fatal(args ...any)
}

// batch is one of a producer, at an offset once stamped.
func batch(t fatal, id int64, epoch int16, sequence int32, records int) record.Batch {
	t.Helper()
	var bl record.Builder
	bl.SetProducer(id, epoch, sequence)
	for i := range records {
		bl.Append(record.Record{Timestamp: int64(1000 + i), Value: []byte("v")})
	}
	b, err := bl.Build()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(b)
}

// partition is the least shell around a State: it assigns offsets.
type partition struct {
	state *producerstate.State
	end   int64
	now   time.Time
}

func (p *partition) append(b record.Batch) (string, error) {
	duplicate, found, err := p.state.Check(b, p.now)
	switch {
	case err != nil:
		return "", err
	case found:
		return fmt.Sprintf("duplicate of offsets %d-%d timestamp %d", duplicate.FirstOffset(), duplicate.LastOffset, duplicate.Timestamp), nil
	}
	b.Stamp(p.end, 1)
	p.state.Update(b, p.now, 0)
	p.end = b.LastOffset() + 1
	return fmt.Sprintf("offsets %d-%d", b.BaseOffset(), b.LastOffset()), nil
}

func outcome(text string, err error) string {
	for _, kind := range []error{producerstate.ErrOutOfOrderSequence, producerstate.ErrDuplicateSequence, producerstate.ErrInvalidEpoch} {
		if errors.Is(err, kind) {
			return strings.TrimPrefix(kind.Error(), "producerstate: ")
		}
	}
	if err != nil {
		return err.Error()
	}
	return text
}

// TestDialogue runs the scripts of testdata. append takes first-last
// sequences; crash drops the state and loads the last snapshot.
func TestDialogue(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		p := &partition{state: producerstate.New(24 * time.Hour), now: start}
		var saved []byte
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "append":
				var id, epoch, first, last int64
				d.ScanArgs(t, "id", &id)
				d.ScanArgs(t, "epoch", &epoch)
				d.ScanArgs(t, "seq", &first, &last)
				count := int((last-first)&(1<<31-1)) + 1
				return outcome(p.append(batch(t, id, int16(epoch), int32(first), count))) + "\n"
			case "commit":
				p.state.Commit()
			case "rollback":
				p.state.Rollback()
			case "tick":
				by, err := time.ParseDuration(d.CmdArgs[0].Key)
				if err != nil {
					t.Fatal(err)
				}
				p.now = p.now.Add(by)
			case "snapshot":
				saved = p.state.AppendSnapshot(nil)
				return fmt.Sprintf("%d bytes\n", len(saved))
			case "restart":
				p.state = producerstate.New(24 * time.Hour)
				if err := p.state.LoadSnapshot(saved, p.now); err != nil {
					t.Fatal(err)
				}
			default:
				t.Fatalf("unknown command %s", d.Cmd)
			}
			return ""
		})
	})
}

// One producer with five batches in flight over a connection that loses
// requests and replies: whatever is retried in order, every record stands in
// the log once and in order.
func TestRetriesNeverDoubleOrLose(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &partition{state: producerstate.New(time.Hour), now: start}
		sequence := rapid.SampledFrom([]int32{0, 1<<31 - 7}).Draw(t, "first sequence")
		var log []int32 // first sequence of each batch appended
		next, acked := sequence, sequence
		send := func(from int32) {
			before := p.end
			out, err := p.append(batch(t, 7, 0, from, 3))
			if err != nil {
				t.Fatalf("sequence %d: %v", from, err)
			}
			if p.end > before {
				log = append(log, from)
			} else if !strings.HasPrefix(out, "duplicate") {
				t.Fatalf("sequence %d: %s and nothing appended", from, out)
			}
			p.state.Commit()
		}
		for range rapid.IntRange(1, 60).Draw(t, "rounds") {
			inFlight := int32(rapid.IntRange(1, 5).Draw(t, "in flight"))
			arrive := rapid.Int32Range(0, inFlight).Draw(t, "arrive")
			for i := range arrive { // the rest is lost with the connection
				send(record.NextSequence(acked, 3*i))
			}
			if sent := record.NextSequence(acked, 3*arrive); ahead(next, sent) {
				next = sent
			}
			replies := rapid.Int32Range(0, arrive).Draw(t, "replies")
			acked = record.NextSequence(acked, 3*replies)
		}
		for i, first := range log {
			if want := record.NextSequence(sequence, 3*int32(i)); first != want {
				t.Fatalf("batch %d of the log begins with sequence %d, want %d", i, first, want)
			}
		}
	})
}

func ahead(a, b int32) bool { return (int64(b)-int64(a))&(1<<31-1) < 1<<30 }

// A drain whose write failed leaves no trace, however its batches interleave.
func TestRollbackRestoresTheState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &partition{state: producerstate.New(time.Hour), now: start}
		sequences := map[int64]int32{}
		drain := func(label string) map[int64]int32 {
			after := maps.Clone(sequences)
			for range rapid.IntRange(0, 12).Draw(t, label) {
				id := rapid.Int64Range(1, 4).Draw(t, "id")
				if _, err := p.append(batch(t, id, 0, after[id], 2)); err != nil {
					t.Fatal(err)
				}
				after[id] += 2
			}
			return after
		}
		for range 5 {
			sequences = drain("good")
			p.state.Commit()
			before := p.state.AppendSnapshot(nil)
			drain("failed")
			p.state.Rollback()
			if after := p.state.AppendSnapshot(nil); !slices.Equal(before, after) {
				t.Fatalf("before %x\nafter  %x", before, after)
			}
		}
	})
}

func TestExpiredProducersAreForgottenWithoutATimer(t *testing.T) {
	p := &partition{state: producerstate.New(time.Hour), now: start}
	for id := range int64(50_000) {
		p.now = p.now.Add(time.Second)
		if _, err := p.append(batch(t, id, 0, 0, 1)); err != nil {
			t.Fatal(err)
		}
		p.state.Commit()
	}
	if n := p.state.Len(); n > 2*3601 {
		t.Errorf("%d producers are held, 3600 are alive", n)
	}
}

func TestSnapshotIsKafkas(t *testing.T) {
	p := &partition{state: producerstate.New(time.Hour), now: start, end: 10}
	if _, err := p.append(batch(t, 4000, 5, 0, 3)); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%x", p.state.AppendSnapshot(nil))
	want := "0001" + "%08x" + "00000001" + // version, CRC, count
		"0000000000000fa0" + "0005" + "00000002" + // producer, epoch, last sequence
		"000000000000000c" + "00000002" + "00000000000003ea" + // last offset, delta, timestamp
		"ffffffff" + "ffffffffffffffff" // coordinator epoch, no transaction
	if got[:4] != want[:4] || got[12:] != want[8:] {
		t.Errorf("snapshot\n%s, want\n%s", got, want)
	}
}

func TestDamagedSnapshotIsRefused(t *testing.T) {
	p := &partition{state: producerstate.New(time.Hour), now: start}
	for i := range int32(4) {
		_, _ = p.append(batch(t, 1, 0, i*2, 2))
	}
	good := p.state.AppendSnapshot(nil)
	for i := range good {
		bad := slices.Clone(good)
		bad[i] ^= 0x10
		s := producerstate.New(time.Hour)
		if err := s.LoadSnapshot(bad, start); !errors.Is(err, producerstate.ErrSnapshot) || s.Len() != 0 {
			t.Errorf("byte %d flipped: %v, %d producers", i, err, s.Len())
		}
		if err := s.LoadSnapshot(good[:i], start); !errors.Is(err, producerstate.ErrSnapshot) {
			t.Errorf("the first %d bytes: %v", i, err)
		}
	}
}

func FuzzLoadSnapshot(f *testing.F) {
	p := &partition{state: producerstate.New(time.Hour), now: start}
	for i := range int32(7) {
		_, _ = p.append(batch(f, int64(i%2), 0, i/2*2, 2))
	}
	f.Add(p.state.AppendSnapshot(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := producerstate.New(time.Hour)
		if s.LoadSnapshot(data, start) == nil {
			again := producerstate.New(time.Hour)
			if err := again.LoadSnapshot(s.AppendSnapshot(nil), start); err != nil {
				t.Fatalf("a loaded snapshot, saved again: %v", err)
			}
		}
	})
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	s := producerstate.New(time.Hour)
	b := batch(t, 9, 0, 0, 1)
	b.Stamp(0, 0)
	s.Update(b, start, 0)
	s.Commit()
	n := testing.AllocsPerRun(100, func() {
		if _, found, err := s.Check(b, start); !found || err != nil {
			t.Fatal(found, err)
		}
		s.Update(b, start, 0)
		s.Commit()
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCheckAndUpdate(b *testing.B) {
	s := producerstate.New(time.Hour)
	x := batch(b, 9, 0, 0, 1)
	x.Stamp(0, 0)
	b.ReportAllocs()
	for b.Loop() {
		_, _, _ = s.Check(x, start)
		s.Update(x, start, 0)
		s.Commit()
	}
}
