package controller

import (
	"fmt"
	"iter"

	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/internal/kafkaconf"
	"github.com/twmb/franz-go/pkg/kerr"
)

// State is what the active controller decides upon.
type State struct {
	// Image is the speculative image: committed and proposed records.
	Image *metadata.Image
	Rules Rules
}

// Rules are what decisions follow beside the metadata.
type Rules struct {
	// Static holds the broker configs that the controller was started with.
	Static map[string]string
	// LowerReplication lowers a replication factor that the cluster has too
	// few brokers for, and the result says so; otherwise the request is
	// refused. It is for one-node clusters of developers and tests, since
	// some clients ask for 2 whatever they talk to.
	LowerReplication bool
	// NewID draws the ids of topics.
	NewID func() metadata.UUID
}

// Error is a refusal: the Kafka error that the client gets, and why.
type Error struct {
	Code    *kerr.Error
	Message string
}

func (e *Error) Error() string { return e.Code.Message + ": " + e.Message }

// Unwrap gives the Kafka error.
func (e *Error) Unwrap() error { return e.Code }

func refuse(code *kerr.Error, format string, args ...any) *Error {
	return &Error{code, fmt.Sprintf(format, args...)}
}

// plan collects the records of one decision. Its image has them applied.
type plan struct {
	State
	records []metadata.Record
}

func (s State) plan() *plan { return &plan{State: s} }

// add takes records into the plan. Records that do not fit the image are a
// mistake of this package, and none of them is taken.
func (p *plan) add(records ...metadata.Record) *Error {
	if len(records) == 0 {
		return nil
	}
	// All records of a plan go into one entry, which follows the image's.
	d := p.Image.Edit(p.entry(), p.Image.Epoch())
	for _, r := range records {
		if err := d.Apply(r); err != nil {
			return refuse(kerr.UnknownServerError, "the controller decided something impossible, nothing was changed: %v", err)
		}
	}
	p.Image = d.Finish()
	p.records = append(p.records, records...)
	return nil
}

// entry is the index that the plan's entry will have.
func (p *plan) entry() uint64 {
	if len(p.records) > 0 {
		return p.Image.Index()
	}
	return p.Image.Index() + 1
}

// broker resolves a broker config of the controller: what decisions about
// topics follow where the topic says nothing.
func (p *plan) broker(name string) kafkaconf.Value {
	return p.Image.BrokerLayers(metadata.NoLeader, p.Rules.Static).BrokerValue(name)
}

// topic resolves the configs of a topic.
func (p *plan) topic(name string) kafkaconf.Topic {
	return p.Image.TopicLayers(name, metadata.NoLeader, p.Rules.Static).TopicConfig()
}

// once goes over what a request names, each key one time, and says whether
// the request names it again: then the item is refused, and answered once.
func once[T any, K comparable](items []T, key func(T) K) iter.Seq2[T, bool] {
	count := make(map[K]int, len(items))
	for _, item := range items {
		count[key(item)]++
	}
	return func(yield func(T, bool) bool) {
		for _, item := range items {
			n := count[key(item)]
			count[key(item)] = 0
			if n > 0 && !yield(item, n > 1) {
				return
			}
		}
	}
}
