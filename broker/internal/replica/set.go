package replica

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// Set is the replicas that this broker holds. Lookups take no lock; changes
// come from the metadata log, one after the other.
type Set struct {
	deps  Deps
	index atomic.Pointer[index]

	// mu orders the changes. A lookup never waits for it.
	mu sync.Mutex
}

// index is never changed once it is published.
type index struct {
	byName map[string]*topic
	byID   map[TopicID]*topic
}

// topic holds the replicas of one topic by partition, nil where another
// broker has it.
type topic struct {
	name       string
	id         TopicID
	partitions []*Partition
}

func (t *topic) partition(i int32) (*Partition, bool) {
	if t == nil || i < 0 || int(i) >= len(t.partitions) {
		return nil, false
	}
	p := t.partitions[i]
	return p, p != nil
}

// NewSet returns a set without replicas.
func NewSet(deps Deps) *Set {
	if deps.Parallel <= 0 {
		deps.Parallel = runtime.GOMAXPROCS(0)
	}
	s := &Set{deps: deps}
	s.index.Store(&index{})
	return s
}

// Partition returns this broker's replica of a partition. A partition that
// the metadata log places here and that is not in the set could not be opened.
func (s *Set) Partition(name string, partition int32) (*Partition, bool) {
	return s.index.Load().byName[name].partition(partition)
}

// ByID is Partition by the topic's id.
func (s *Set) ByID(id TopicID, partition int32) (*Partition, bool) {
	return s.index.Load().byID[id].partition(partition)
}

// All goes over the replicas, topic by topic in no order.
func (s *Set) All() iter.Seq[*Partition] {
	return func(yield func(*Partition) bool) {
		for _, t := range s.index.Load().byName {
			for _, p := range t.partitions {
				if p != nil && !yield(p) {
					return
				}
			}
		}
	}
}

// Apply opens the replicas that are not there yet and tells all of them who
// leads. One that cannot be opened is reported and left out; the others are
// served.
func (s *Set) Apply(assignments []Assignment) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	opened, err := s.open(assignments)
	if len(opened) > 0 {
		s.publish(opened)
	}
	for _, a := range assignments {
		if p, ok := s.ByID(a.TopicID, a.Partition); ok {
			p.Assign(a.Leadership)
		}
	}
	return err
}

// open opens those of the assignments that are new, several at a time.
func (s *Set) open(assignments []Assignment) ([]*Partition, error) {
	opened := make([]*Partition, len(assignments))
	failed := make([]error, len(assignments))
	var group errgroup.Group
	group.SetLimit(s.deps.Parallel)
	for i, a := range assignments {
		if _, ok := s.ByID(a.TopicID, a.Partition); ok {
			continue
		}
		group.Go(func() error {
			opened[i], failed[i] = s.openOne(a)
			return nil
		})
	}
	_ = group.Wait() // failures are kept one by one
	return slices.DeleteFunc(opened, func(p *Partition) bool { return p == nil }), errors.Join(failed...)
}

func (s *Set) openOne(a Assignment) (*Partition, error) {
	if t, ok := s.index.Load().byName[a.Topic]; ok && t.id != a.TopicID {
		return nil, fmt.Errorf("open %s-%d: a topic of that name and another id is still here", a.Topic, a.Partition)
	}
	at, err := s.deps.Disk.Place(a.Topic, a.TopicID, a.Partition)
	if err != nil {
		return nil, fmt.Errorf("open %s-%d: %w", a.Topic, a.Partition, err)
	}
	p, err := Open(s.deps, a, at)
	if err != nil {
		return nil, fmt.Errorf("open %s-%d: %w", a.Topic, a.Partition, err)
	}
	return p, nil
}

// publish adds opened replicas to the index.
func (s *Set) publish(opened []*Partition) {
	next := s.copyIndex()
	fresh := map[TopicID]*topic{}
	for _, p := range opened {
		t := fresh[p.id]
		if t == nil {
			t = &topic{name: p.topic, id: p.id}
			if old := next.byID[p.id]; old != nil {
				t.partitions = slices.Clone(old.partitions)
			}
			fresh[p.id] = t
			next.byID[p.id], next.byName[p.topic] = t, t
		}
		if missing := int(p.index) + 1 - len(t.partitions); missing > 0 {
			t.partitions = append(t.partitions, make([]*Partition, missing)...)
		}
		t.partitions[p.index] = p
	}
	s.index.Store(next)
}

func (s *Set) copyIndex() *index {
	old := s.index.Load()
	next := &index{byName: make(map[string]*topic, len(old.byName)+1), byID: make(map[TopicID]*topic, len(old.byID)+1)}
	maps.Copy(next.byName, old.byName)
	maps.Copy(next.byID, old.byID)
	return next
}

// Configure hands a topic's configuration to its replicas.
func (s *Set) Configure(id TopicID, c Config) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.index.Load().byID[id]; t != nil {
		for _, p := range t.partitions {
			if p != nil {
				p.Configure(c)
			}
		}
	}
}

// Delete removes the replicas of a topic with their logs. They are out of the
// index before their files are.
func (s *Set) Delete(id TopicID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.index.Load().byID[id]
	if t == nil {
		return nil
	}
	next := s.copyIndex()
	delete(next.byID, id)
	delete(next.byName, t.name)
	s.index.Store(next)
	var failed []error
	for _, p := range t.partitions {
		if p != nil {
			p.stop(ErrDeleted)
			s.deps.Disk.Forget(p)
			failed = append(failed, p.Delete())
		}
	}
	return errors.Join(failed...)
}

// sorted is all replicas by topic and partition: the order in which a
// simulation sees them closed.
func (s *Set) sorted() []*Partition {
	return slices.SortedFunc(s.All(), func(a, b *Partition) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.index, b.index))
	})
}

// Close closes all replicas in order. Without an error the data directory may
// be marked as clean.
func (s *Set) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.sorted()
	failed := make([]error, len(all))
	var group errgroup.Group
	group.SetLimit(s.deps.Parallel)
	for i, p := range all {
		group.Go(func() error {
			s.deps.Disk.Forget(p)
			failed[i] = p.Close()
			return nil
		})
	}
	_ = group.Wait()
	s.index.Store(&index{})
	return errors.Join(failed...)
}
