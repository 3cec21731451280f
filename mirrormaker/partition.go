package mirrormaker

import (
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/mirrormaker/internal/progress"
)

// topicPartition names a partition of the source.
type topicPartition struct {
	topic     string
	partition int32
}

// partition is one partition on its way. The copy loop feeds it, the target's
// acks move it, and the commit loop writes its position.
type partition struct {
	topicPartition
	target   string
	maxBytes int32

	// codec is how the last fetched batch was compressed. Only the copy loop
	// uses it.
	codec kgo.CompressionCodecType

	mu       sync.Mutex
	position progress.Position
	last     *kgo.Record // the record that position's print is taken of
	dirty    bool        // position is newer than what the state topic holds
	end      int64       // the source's end as last seen
	stopped  *progress.Stop
}

// acked moves the position behind a record that the target holds. Acks of one
// partition come in order; after a stop they no longer count, because the
// record that failed is missing before them.
func (p *partition) acked(source, copied *kgo.Record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped != nil {
		return
	}
	p.position.Next, p.position.TargetNext = source.Offset+1, copied.Offset+1
	p.last, p.dirty = source, true
}

// stop ends the partition for the reason; the first reason stays.
func (p *partition) stop(why *progress.Stop) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped != nil {
		return false
	}
	p.stopped = why
	return true
}

func (p *partition) isStopped() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stopped != nil
}

func (p *partition) saw(end int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end = max(p.end, end)
}

// pending returns the position to write, or false when it is written already.
func (p *partition) pending() (progress.Position, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.dirty {
		return progress.Position{}, false
	}
	if p.last != nil {
		print := progress.Fingerprint(p.last.Timestamp.UnixMilli(), p.last.Key, p.last.Value)
		p.position.Timestamp, p.position.Hash = print.Timestamp, print.Hash
		p.last = nil
	}
	p.dirty = false
	return p.position, true
}

// unwritten takes a position back that could not be written.
func (p *partition) unwritten() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dirty = true
}

func (p *partition) status(now time.Time, flow string) Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Status{
		Flow: flow, Topic: p.topic, Partition: p.partition, Target: p.target,
		Next: p.position.Next, End: max(p.end, p.position.Next), Stopped: exported(p.stopped),
	}
	if s.Lag() > 0 {
		at := time.UnixMilli(p.position.Timestamp)
		if p.last != nil {
			at = p.last.Timestamp
		}
		if at.UnixMilli() > 0 {
			s.LagSeconds = max(0, now.Sub(at).Seconds())
		}
	}
	return s
}
