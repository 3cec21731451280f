package schema

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// table is a map that is read far more often than written: a hit costs an
// atomic load and a map read. New entries wait in fresh and move over when
// they have been asked for about as often as the move costs, so filling the
// table is not quadratic. The zero value is ready.
type table[K comparable, V any] struct {
	settled atomic.Pointer[map[K]V] // immutable

	mu    sync.Mutex
	fresh map[K]V // entries not in settled
	hits  int     // reads of fresh since the last move
}

func (t *table[K, V]) load(key K) (V, bool) {
	if m := t.settled.Load(); m != nil {
		if v, ok := (*m)[key]; ok {
			return v, true
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	v, ok := t.fresh[key]
	if !ok {
		if m := t.settled.Load(); m != nil { // moved meanwhile
			v, ok = (*m)[key]
		}
		return v, ok
	}
	t.hits++
	if t.hits*8 > len(t.fresh)+t.settledLen() {
		t.settle()
	}
	return v, true
}

func (t *table[K, V]) store(key K, v V) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fresh == nil {
		t.fresh = make(map[K]V)
	}
	t.fresh[key] = v
	if m := t.settled.Load(); m != nil {
		if _, replaces := (*m)[key]; replaces {
			t.settle() // readers look into settled first
		}
	}
}

// settle moves the fresh entries over; t.mu is held.
func (t *table[K, V]) settle() {
	next := make(map[K]V, t.settledLen()+len(t.fresh))
	if m := t.settled.Load(); m != nil {
		maps.Copy(next, *m)
	}
	maps.Copy(next, t.fresh)
	t.settled.Store(&next)
	t.fresh, t.hits = nil, 0
}

func (t *table[K, V]) settledLen() int {
	if m := t.settled.Load(); m != nil {
		return len(*m)
	}
	return 0
}

// maxMissing bounds the ids remembered as missing: they come from the data,
// which may be hostile.
const maxMissing = 1024

// missing remembers for a moment what the registry did not have.
type missing[K comparable] struct {
	mu    sync.Mutex
	until map[K]time.Time
}

func (m *missing[K]) add(key K, until time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.until == nil || len(m.until) >= maxMissing {
		m.until = make(map[K]time.Time)
	}
	m.until[key] = until
}

func (m *missing[K]) has(key K, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	until, ok := m.until[key]
	return ok && now.Before(until)
}

func (m *missing[K]) drop(key K) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.until, key)
}
