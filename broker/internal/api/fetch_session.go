package api

import (
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace-io/millrace/broker/internal/wire"
)

// Fetch sessions (KIP-227): the broker remembers what a client fetches, so
// that requests name only what changed and responses only what is new.
//
//	epoch  id   the request
//	  0    any  is full, ends session id and begins a new one
//	 -1    0    is full and has no session
//	 -1    id   is full and ends the session
//	  n    id   changes the session; n is one more than in the last request
//
// A session is used by one request at a time, whose reply holds it until it is
// encoded or cancelled. One that is asked for meanwhile, by a client that lost
// its connection, is answered INVALID_FETCH_SESSION_EPOCH, and the client
// begins anew.

// sessionIdle is how long a session must not have been used before another
// may take its slot.
const sessionIdle = 2 * time.Minute

// sessions is the cache of all connections' sessions.
type sessions struct {
	slots int

	mu   sync.Mutex
	byID map[int32]*session
}

func newSessions(slots int) *sessions {
	return &sessions{slots: slots, byID: map[int32]*session{}}
}

// session is what one client fetches.
type session struct {
	id   int32
	byID bool // topics go by id
	used time.Time

	// epoch is that of the next request, and busy is set while one is under
	// way. Both are guarded by the mutex of sessions.
	epoch int32
	busy  bool

	// The rest belongs to the request under way.
	parts map[partKey]*fetchPart
	// order links the partitions in the order in which they are read: those
	// that had records go to the end, so that all get their turn.
	order partList
}

// partKey names a partition in a session, as the client does.
type partKey struct {
	name  string
	id    [16]byte
	index int32
}

// begin finds or makes the session of a request. A nil session without an
// error means that the request stands for itself.
func (s *sessions) begin(req *wire.FetchRequest, now time.Time) (*session, *kerr.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if req.SessionEpoch <= 0 {
		if old := s.byID[req.SessionID]; old != nil && !old.busy {
			delete(s.byID, req.SessionID)
		}
		if req.SessionEpoch == 0 && req.Version >= 7 {
			return s.create(req, now), nil
		}
		return nil, nil
	}
	found := s.byID[req.SessionID]
	switch {
	case found == nil:
		return nil, kerr.FetchSessionIDNotFound
	case found.busy || found.epoch != req.SessionEpoch:
		return nil, kerr.InvalidFetchSessionEpoch
	case found.byID != req.ByID():
		return nil, kerr.FetchSessionTopicIDError
	}
	found.busy, found.used = true, now
	found.epoch = nextEpoch(found.epoch)
	return found, nil
}

// create makes a session if there is room or room can be made.
func (s *sessions) create(req *wire.FetchRequest, now time.Time) *session {
	if req.Partitions == 0 || len(s.byID) >= s.slots && !s.evict(req.Partitions, now) {
		return nil
	}
	id := int32(0)
	for id == 0 || s.byID[id] != nil {
		id = 1 + rand.Int32N(math.MaxInt32)
	}
	made := &session{id: id, byID: req.ByID(), used: now, epoch: 1, busy: true, parts: make(map[partKey]*fetchPart, req.Partitions)}
	s.byID[id] = made
	return made
}

// evict frees the slot that has not been used for longest, if that is long
// enough, or else one of a session that saves less than the new one would.
func (s *sessions) evict(partitions int, now time.Time) bool {
	var oldest *session
	for _, candidate := range s.byID {
		if !candidate.busy && (oldest == nil || candidate.used.Before(oldest.used)) {
			oldest = candidate
		}
	}
	if oldest == nil || now.Sub(oldest.used) < sessionIdle && len(oldest.parts) >= partitions {
		return false
	}
	delete(s.byID, oldest.id)
	return true
}

// end lets the next request have the session. One that fetches nothing any
// more is forgotten.
func (s *sessions) end(used *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	used.busy = false
	if len(used.parts) == 0 {
		delete(s.byID, used.id)
	}
}

// Len is the number of sessions.
func (s *sessions) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byID)
}

func nextEpoch(epoch int32) int32 {
	if epoch == math.MaxInt32 {
		return 1
	}
	return epoch + 1
}

// update takes over what a request adds, changes and forgets.
func (s *session) update(req *wire.FetchRequest) {
	for req.NextTopic() {
		for req.NextPartition() {
			key := partKey{req.Topic, req.TopicID, req.Partition}
			part := s.parts[key]
			if part == nil {
				part = new(fetchPart)
				key.name = strings.Clone(key.name) // It aliases the frame.
				part.reset(key)
				s.parts[key] = part
				s.order.push(part)
			}
			part.want(&req.FetchPartition)
		}
	}
	for req.NextForgottenTopic() {
		for req.NextForgottenPartition() {
			key := partKey{req.Topic, req.TopicID, req.Partition}
			if part := s.parts[key]; part != nil {
				s.order.remove(part)
				delete(s.parts, key)
			}
		}
	}
}

// partList is a doubly linked list through fetchParts.
type partList struct{ first, last *fetchPart }

func (l *partList) push(p *fetchPart) {
	p.prev, p.next = l.last, nil
	if l.last == nil {
		l.first = p
	} else {
		l.last.next = p
	}
	l.last = p
}

func (l *partList) remove(p *fetchPart) {
	if p.prev == nil {
		l.first = p.next
	} else {
		p.prev.next = p.next
	}
	if p.next == nil {
		l.last = p.prev
	} else {
		p.next.prev = p.prev
	}
	p.prev, p.next = nil, nil
}
