package worker

import "github.com/millrace-io/millrace/connect"

// prefix follows which records of a source are acked, per source partition,
// and gives the position of the last record of the contiguous acked prefix.
// It is pure; its owner locks.
type prefix struct {
	streams map[string]*stream
	waiting int // records not acked yet
}

// stream is one source partition.
type stream struct {
	partition map[string]any
	queue     []*sent // in the order they were read; the head is not acked
	offset    map[string]any
	dirty     bool // offset is newer than what was taken
}

// sent is one record on its way.
type sent struct {
	stream *stream
	offset map[string]any
	acked  bool
}

func newPrefix() *prefix { return &prefix{streams: map[string]*stream{}} }

// add registers a record before it is sent.
func (p *prefix) add(position connect.Position) *sent {
	id := partitionKey(position.Partition)
	s, ok := p.streams[id]
	if !ok {
		s = &stream{partition: position.Partition}
		p.streams[id] = s
	}
	one := &sent{stream: s, offset: position.Offset}
	s.queue = append(s.queue, one)
	p.waiting++
	return one
}

// ack says that a record is durable in its topic.
func (p *prefix) ack(one *sent) {
	one.acked = true
	p.waiting--
	s := one.stream
	done := 0
	for done < len(s.queue) && s.queue[done].acked {
		s.offset, s.dirty = s.queue[done].offset, true
		s.queue[done] = nil
		done++
	}
	s.queue = s.queue[done:]
}

// take returns the positions that advanced since the last take.
func (p *prefix) take() []connect.Position {
	var advanced []connect.Position
	for _, s := range p.streams {
		if s.dirty {
			advanced = append(advanced, connect.Position{Partition: s.partition, Offset: s.offset})
			s.dirty = false
		}
	}
	return advanced
}

// putBack makes positions count as not taken: storing them failed. What has
// advanced since is newer and stands.
func (p *prefix) putBack(positions []connect.Position) {
	for _, position := range positions {
		p.streams[partitionKey(position.Partition)].dirty = true
	}
}
