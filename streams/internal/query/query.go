package query

import (
	"errors"
	"sync"

	"github.com/millrace-io/millrace/streams/state"
)

// ErrNotHere is returned when no task with the store runs in this process.
var ErrNotHere = errors.New("no task with this store runs in this instance now")

// Stores are the open databases of a process. The zero value has none. Its
// methods are safe for concurrent use.
type Stores struct {
	mu   sync.RWMutex
	open map[string][]*state.DB // by store
}

// Add makes the stores of an open database known.
func (s *Stores) Add(db *state.DB, stores []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[string][]*state.DB{}
	}
	for _, store := range stores {
		s.open[store] = append(s.open[store], db)
	}
}

// Remove forgets a database before it is closed. It waits for queries that use
// it.
func (s *Stores) Remove(db *state.DB) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for store, dbs := range s.open {
		kept := dbs[:0:0]
		for _, d := range dbs {
			if d != db {
				kept = append(kept, d)
			}
		}
		s.open[store] = kept
	}
}

// Get finds the committed value of key.
func (s *Stores) Get(store string, key []byte) (value []byte, ok bool, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	dbs := s.open[store]
	if len(dbs) == 0 {
		return nil, false, ErrNotHere
	}
	for _, db := range dbs {
		if value, ok, err = db.Read(store, key); err != nil || ok {
			return value, ok, err
		}
	}
	return nil, false, nil
}
