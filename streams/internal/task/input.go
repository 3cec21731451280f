package task

import (
	"errors"
	"time"

	"github.com/millrace-io/millrace/streams/internal/topology"
)

var errNegativeTime = errors.New("timestamp before 1970: event time must not be negative")

// input is the queue of one input partition.
//
//	  position       head                    fetched      end
//	─────┴────────────┴── queue ──────────────┴────────────┴──►
//	   committed next                       buffered up to  broker has up to
type input struct {
	node     *topology.Node
	topic    string
	source   topology.SourceTask
	queue    []item
	at       int   // the head's place in queue
	loaded   bool  // the source holds the decoded head
	headTime int64 // of the decoded head
	position int64 // offset after the last one processed; -1 unknown
	fetched  int64 // offset after the last one buffered
	end      int64 // the broker has records below it
	emptied  time.Time
}

type item struct {
	raw  topology.Raw
	skip bool // takes an offset but holds nothing: a transaction's marker
}

func newInput(n *topology.Node, topic string, source topology.SourceTask) *input {
	return &input{node: n, topic: topic, source: source, position: -1}
}

func (in *input) first() (*item, bool) {
	if in.at == len(in.queue) {
		return nil, false
	}
	return &in.queue[in.at], true
}

// done passes over the head.
func (in *input) done() {
	in.position = in.queue[in.at].raw.Offset + 1
	in.queue[in.at] = item{}
	in.at++
	in.loaded = false
	if in.at == len(in.queue) {
		in.queue, in.at = in.queue[:0], 0
	}
}

func (in *input) add(i item) {
	in.queue = append(in.queue, i)
	in.fetched = i.raw.Offset + 1
	in.end = max(in.end, in.fetched)
	in.emptied = time.Time{}
}

// next is the lowest offset that is not buffered yet.
func (in *input) next() int64 {
	if in.at < len(in.queue) {
		return in.queue[len(in.queue)-1].raw.Offset + 1
	}
	return max(in.position, 0)
}

func (in *input) buffered() int { return len(in.queue) - in.at }

// holeWait is how long records that the broker is known to have are waited
// for. They may not exist: the end of a compacted topic can be a batch that
// compaction has emptied, whose offsets no record will ever have.
const holeWait = 10 * time.Second

// mayHaveMore tells whether an empty input is worth waiting for.
func (in *input) mayHaveMore(now time.Time, idle time.Duration) bool {
	known := in.fetched < in.end
	if !known && idle == 0 {
		return false
	}
	if in.emptied.IsZero() {
		in.emptied = now
	}
	waited := now.Sub(in.emptied)
	if known && waited >= holeWait {
		in.fetched = in.end
	}
	return waited < idle || (known && waited < holeWait)
}

// Start tells from which offset the topic's records will come, and up to where
// the broker has some.
func (t *Task) Start(topic string, next, end int64) {
	if in := t.input(topic); in != nil {
		in.position, in.fetched, in.end = next, next, end
	}
}

// Add buffers a record of one of the task's inputs.
func (t *Task) Add(raw topology.Raw) { t.add(item{raw: raw}) }

// Skip passes over an offset that holds no record, in its turn.
func (t *Task) Skip(topic string, offset int64) {
	t.add(item{raw: topology.Raw{Topic: topic, Offset: offset}, skip: true})
}

func (t *Task) add(i item) {
	// A record comes twice if the client fetched it before a pause.
	if in := t.input(i.raw.Topic); in != nil && i.raw.Offset >= in.next() {
		in.add(i)
	}
}

// Known tells that the broker has records of the topic below end.
func (t *Task) Known(topic string, end int64) {
	if in := t.input(topic); in != nil {
		in.end = max(in.end, end)
	}
}

// Buffered is how many records of the topic wait.
func (t *Task) Buffered(topic string) int {
	if in := t.input(topic); in != nil {
		return in.buffered()
	}
	return 0
}

// Topics are the names of the task's inputs.
func (t *Task) Topics() []string {
	out := make([]string, len(t.inputs))
	for i, in := range t.inputs {
		out[i] = in.topic
	}
	return out
}

// input finds a topic's queue; tasks have few inputs.
func (t *Task) input(topic string) *input {
	for _, in := range t.inputs {
		if in.topic == topic {
			return in
		}
	}
	return nil
}
