package api

import (
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace-io/millrace/broker/internal/wait"
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

// partitionsPerSlot bounds the partitions of all sessions together, each of
// which takes some hundred bytes.
const partitionsPerSlot = 200

// sessions is the cache of all connections' sessions.
type sessions struct {
	slots         int
	maxPartitions int

	mu         sync.Mutex
	byID       map[int32]*session
	partitions int // of all sessions
}

func newSessions(slots int) *sessions {
	return &sessions{slots: slots, maxPartitions: max(slots, 1) * partitionsPerSlot, byID: map[int32]*session{}}
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

	// counted is how many of parts the cache knows of; guarded as well.
	counted int

	// The rest belongs to the request under way.
	parts map[partKey]*fetchPart
	// due links the partitions that are to be read, in their order: those that
	// had records go to the end, so that all get their turn. The others have
	// nothing that the client does not know, until watches tells of them. So a
	// request costs what has changed, and not what the session holds.
	due     partList
	watches wait.Watches
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
	var gone []*session
	defer func() {
		for _, old := range gone {
			old.close()
		}
	}()
	s.mu.Lock()
	defer s.mu.Unlock()
	if req.SessionEpoch <= 0 {
		if old := s.byID[req.SessionID]; old != nil && !old.busy {
			gone = append(gone, s.drop(old))
		}
		if req.SessionEpoch == 0 && req.Version >= 7 {
			made, evicted := s.create(req, now)
			if evicted != nil {
				gone = append(gone, evicted)
			}
			return made, nil
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
	case s.partitions+req.Partitions > s.maxPartitions:
		// It may grow beyond what is left: the client begins anew.
		gone = append(gone, s.drop(found))
		return nil, kerr.FetchSessionIDNotFound
	}
	found.busy, found.used = true, now
	found.epoch = nextEpoch(found.epoch)
	return found, nil
}

// create makes a session if there is room or room can be made, by evicting
// another.
func (s *sessions) create(req *wire.FetchRequest, now time.Time) (made, evicted *session) {
	full := func() bool {
		return len(s.byID) >= s.slots || s.partitions+req.Partitions > s.maxPartitions
	}
	if req.Partitions == 0 {
		return nil, nil
	}
	if full() {
		evicted = s.evict(req.Partitions, now)
	}
	if full() {
		return nil, evicted
	}
	id := int32(0)
	for id == 0 || s.byID[id] != nil {
		id = 1 + rand.Int32N(math.MaxInt32)
	}
	made = &session{id: id, byID: req.ByID(), used: now, epoch: 1, busy: true, parts: make(map[partKey]*fetchPart, req.Partitions)}
	s.byID[id] = made
	s.count(made, req.Partitions)
	return made, evicted
}

// evict frees the slot that has not been used for longest, if that is long
// enough, or else one of a session that saves less than the new one would.
func (s *sessions) evict(partitions int, now time.Time) *session {
	var oldest *session
	for _, candidate := range s.byID {
		if !candidate.busy && (oldest == nil || candidate.used.Before(oldest.used)) {
			oldest = candidate
		}
	}
	if oldest == nil || now.Sub(oldest.used) < sessionIdle && oldest.counted >= partitions {
		return nil
	}
	return s.drop(oldest)
}

func (s *sessions) drop(old *session) *session {
	delete(s.byID, old.id)
	s.count(old, 0)
	return old
}

// count keeps the sum of the sessions' partitions.
func (s *sessions) count(of *session, partitions int) {
	s.partitions += partitions - of.counted
	of.counted = partitions
}

// end lets the next request have the session. One that fetches nothing any
// more is forgotten.
func (s *sessions) end(used *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	used.busy = false
	if s.byID[used.id] != used {
		return
	}
	s.count(used, len(used.parts))
	if len(used.parts) == 0 {
		s.drop(used)
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
				key.name = strings.Clone(key.name) // It aliases the frame.
				part = &fetchPart{key: key, session: s}
				s.parts[key] = part
			}
			part.want(&req.FetchPartition)
			s.due.push(part)
		}
	}
	for req.NextForgottenTopic() {
		for req.NextForgottenPartition() {
			key := partKey{req.Topic, req.TopicID, req.Partition}
			if part := s.parts[key]; part != nil {
				s.due.remove(part)
				part.watch.Unlink()
				delete(s.parts, key)
			}
		}
	}
}

// collect makes the partitions due that have changed.
func (s *session) collect() {
	s.watches.Moved(func(w *wait.Watch) { s.due.push(w.Owner.(*fetchPart)) })
}

// close takes the session's watches off the partitions. No request is under
// way, and none will come.
func (s *session) close() {
	for _, part := range s.parts {
		part.watch.Unlink()
	}
}

// partList is a doubly linked list through fetchParts, each at most once.
type partList struct{ first, last *fetchPart }

// push adds p at the end, unless it is in the list.
func (l *partList) push(p *fetchPart) {
	if p.due {
		return
	}
	p.due = true
	p.prev, p.next = l.last, nil
	if l.last == nil {
		l.first = p
	} else {
		l.last.next = p
	}
	l.last = p
}

func (l *partList) remove(p *fetchPart) {
	if !p.due {
		return
	}
	p.due = false
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
