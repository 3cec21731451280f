package replica

import (
	"fmt"
	"time"

	"github.com/millrace-io/millrace/broker/internal/cleaner"
	"github.com/millrace-io/millrace/broker/internal/producerstate"
)

// Dirt says what of a compacted topic's log awaits the cleaner: nothing of
// another's. Cleaned is where the last run ended. What lies at limit or above is
// not touched, nor what is not stable yet.
//
// A record that max.compaction.lag.ms does not let stay in the active segment
// ends that segment.
func (p *Partition) Dirt(now time.Time, cleaned, limit int64) (cleaner.Dirt, error) {
	p.mu.Lock()
	compact, policy, closed := p.config.Compact, p.config.Cleaning, p.closed
	p.mu.Unlock()
	if !compact || closed != nil {
		return cleaner.Dirt{}, nil
	}
	if policy.MaxLag > 0 && policy.MaxLag < cleaner.Unlimited {
		if err := p.log.RollOlder(now.Add(-policy.MaxLag).UnixMilli()); err != nil {
			return cleaner.Dirt{}, err
		}
	}
	return cleaner.Inspect(p.log, policy, cleaned, min(limit, p.stableEnd()), now)
}

// stableEnd is the offset below which everything is decided: committed, and
// part of no transaction that is open.
func (p *Partition) stableEnd() int64 { return p.lastStable.Load() }

// Compact removes from the log's closed segments what newer records replace.
// Reads, appends and flushes go on beside it.
func (p *Partition) Compact(d cleaner.Dirt, now time.Time, keys *cleaner.OffsetMap, pace func(bytes int) error) (cleaner.Result, error) {
	p.mu.Lock()
	retention := p.config.Cleaning.DeleteRetention
	last := lastBatches(p.producers, min(p.highWatermark.Load(), p.log.Flushed()))
	p.mu.Unlock()
	aborted, err := p.abortedBelow(d.To)
	if err != nil {
		return cleaner.Result{Cleaned: d.From}, fmt.Errorf("%w: compact %s: %w", ErrStorage, p.name(), err)
	}
	job := cleaner.Job{
		Log: p.log, From: d.From, To: d.To, Now: now, DeleteRetention: retention, Keys: keys, Pace: pace, Aborted: aborted,
		Last: func(id int64) (cleaner.Last, bool) { l, ok := last[id]; return l, ok },
	}
	result, err := job.Run()
	if err != nil {
		err = fmt.Errorf("compact %s: %w", p.name(), err)
	}
	return result, err
}

// abortedBelow lists the aborted transactions that have records below an offset.
func (p *Partition) abortedBelow(end int64) (list []cleaner.Aborted, err error) {
	txns, err := p.log.Aborted(nil, p.log.Start(), end)
	for _, t := range txns {
		list = append(list, cleaner.Aborted{ProducerID: t.ProducerID, FirstOffset: t.FirstOffset, LastOffset: t.LastOffset})
	}
	return list, err
}

// lastBatches is what the cleaner has to know of the producers: the newest batch
// of each that is durable and committed.
func lastBatches(s *producerstate.State, durable int64) map[int64]cleaner.Last {
	last := make(map[int64]cleaner.Last, s.Len())
	s.Each(func(p *producerstate.Producer) {
		l := cleaner.Last{Epoch: p.Epoch, LastOffset: -1}
		for _, b := range p.Window() {
			if l.Unknown = b.LastOffset >= durable && l.LastOffset < 0; b.LastOffset < durable {
				l.LastOffset = b.LastOffset
			}
		}
		last[p.ID] = l
	})
	return last
}
