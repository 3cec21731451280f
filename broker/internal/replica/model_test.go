package replica_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/millrace-io/millrace/broker/internal/commitlog"
	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/internal/vfs"
)

// entry is one batch that the model holds.
type entry struct {
	producer int64 // -1 for none
	sequence int32
	records  int
	base     int64
	value    string
}

// model is what a partition must look like, whatever happens to the broker.
type model struct {
	log   []entry
	acked int64 // below it nothing may ever be lost
}

func (m *model) end() int64 {
	if len(m.log) == 0 {
		return 0
	}
	last := m.log[len(m.log)-1]
	return last.base + int64(last.records)
}

// next is a producer's next sequence, and its last batch.
func (m *model) next(producer int64) (sequence int32, last *entry) {
	for i := range m.log {
		if e := &m.log[i]; e.producer == producer {
			sequence, last = e.sequence+int32(e.records), e
		}
	}
	return sequence, last
}

// A partition under appends, retries, flushes that take time, rolls, changes
// of epoch, stops and losses of power: what was acked is never lost, what is
// read is what was appended, and a retry is told from a new batch.
func TestPartitionAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mem := vfs.NewMem()
		w := newWorld(mem)
		epoch := int32(1)
		config := replica.Config{Log: commitlog.Config{SegmentBytes: rapid.Int64Range(200, 2000).Draw(t, "segment.bytes"), IndexInterval: 100}}
		p := w.lead(t, config, epoch)
		m := &model{}
		var flush *commitlog.Flush // under way
		n := 0

		reopen := func() {
			flush = nil
			epoch++
			p = w.lead(t, config, epoch)
		}
		check := func(t *rapid.T) {
			if p.LogEnd() != m.end() {
				t.Fatalf("log end %d, the model's %d", p.LogEnd(), m.end())
			}
			m.acked = max(m.acked, p.HighWatermark())
			var seen []entry
			for i, b := range contents(t, p) {
				e := m.log[i]
				for r, err := range b.Records() {
					if err != nil || string(r.Value) != e.value {
						t.Fatalf("offset %d holds %q, the model has %q (%v)", b.BaseOffset(), r.Value, e.value, err)
					}
				}
				seen = append(seen, entry{b.ProducerID(), max(b.BaseSequence(), 0), int(b.Count()), b.BaseOffset(), e.value})
			}
			if visible := slices.IndexFunc(m.log, func(e entry) bool { return e.base >= p.HighWatermark() }); visible >= 0 && len(seen) != visible {
				t.Fatalf("%d batches are visible, the model has %d below %d", len(seen), visible, p.HighWatermark())
			} else if !slices.Equal(seen, m.log[:len(seen)]) {
				t.Fatalf("log %v\nmodel %v", seen, m.log)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				n++
				e := entry{producer: rapid.Int64Range(-1, 3).Draw(t, "producer"), records: rapid.IntRange(1, 3).Draw(t, "records"), base: m.end(), value: fmt.Sprint(n)}
				if e.producer == 0 {
					e.producer = -1
				}
				if e.producer > 0 {
					e.sequence, _ = m.next(e.producer)
				}
				b := batch(t, e.producer, 0, e.sequence, e.records, e.value)
				r := mustAppend(t, p, b)
				if r.Duplicate || r.BaseOffset != e.base {
					t.Fatalf("%+v went to %+v", e, r)
				}
				m.log = append(m.log, e)
			},
			"retry": func(t *rapid.T) {
				producer := rapid.Int64Range(1, 3).Draw(t, "producer")
				if _, last := m.next(producer); last != nil {
					r := mustAppend(t, p, batch(t, producer, 0, last.sequence, last.records, last.value))
					if !r.Duplicate || r.BaseOffset != last.base {
						t.Fatalf("retry of %+v: %+v", *last, r)
					}
				}
			},
			"capture": func(*rapid.T) {
				if flush == nil {
					w.Forget(p)
					f := p.Capture()
					flush = &f
				}
			},
			"sync": func(t *rapid.T) {
				if flush != nil {
					if err := flush.Sync(); err != nil {
						t.Fatal(err)
					}
					if err := p.FlushDone(*flush); err != nil {
						t.Fatal(err)
					}
					flush = nil
				}
			},
			"checkpoint": func(t *rapid.T) { w.checkpointOne(t, p, false) },
			"epoch": func(*rapid.T) {
				epoch++
				p.Assign(leads(1, epoch))
			},
			"stop": func(t *rapid.T) {
				if flush != nil {
					return // the flusher has ended before
				}
				m.acked = m.end()
				w.restart(t)
				reopen()
			},
			"power loss": func(t *rapid.T) {
				m.acked = max(m.acked, p.HighWatermark())
				seed := rapid.Uint64().Draw(t, "seed")
				mem = mem.Crash(rand.New(rand.NewPCG(seed, 1)))
				w.fs = mem
				w.boot()
				reopen()
				if p.LogEnd() < m.acked {
					t.Fatalf("acked up to %d, the log ends at %d", m.acked, p.LogEnd())
				}
				for len(m.log) > 0 && m.end() > p.LogEnd() {
					m.log = m.log[:len(m.log)-1]
				}
				if place := w.places[p.Dir()]; place.Clean {
					t.Fatal("a crash is not a clean stop")
				}
			},
			"": check,
		})
	})
}
