package coordinator

import (
	"errors"
	"fmt"
	"time"

	"github.com/millrace-io/millrace/broker/internal/group"
	"github.com/millrace-io/millrace/broker/internal/turn"
)

// Groups coordinates the consumer groups of all partitions of
// __consumer_offsets that this node leads. Make one with NewGroups, and let
// Run run.
type Groups struct {
	*Runtime[*group.State]
	patterns patterns
}

// NewGroups returns Groups that lead nothing yet.
func NewGroups(opts GroupOptions) *Groups {
	opts.setDefaults()
	return &Groups{
		Runtime:  newRuntime(groupKind(&opts), opts.Logger),
		patterns: patterns{topics: opts.Group.Topics},
	}
}

// A GroupShard holds the groups of one partition.
type GroupShard = Shard[*group.State]

// NewGroupShard returns a shard without groups.
func NewGroupShard(opts *GroupOptions) *GroupShard {
	k := groupKind(opts)
	return newShard(&k)
}

func groupKind(opts *GroupOptions) kind[*group.State] {
	return kind[*group.State]{
		name:   "consumer groups",
		expiry: opts.ExpiryInterval,
		create: func(id string) *group.State { return group.New(id, &opts.Group) },
		gone:   (*group.State).Gone,
		expire: (*group.State).ExpireOffsets,
		read:   readGroupRecord,

		complete: (*group.State).Complete,
	}
}

func readGroupRecord(key, value []byte) (entryRecord[*group.State], error) {
	rec, err := group.Decode(key, value)
	if errors.Is(err, group.ErrUnknownRecord) {
		return entryRecord[*group.State]{}, fmt.Errorf("%w: %w", errUnknownRecord, err)
	}
	if err != nil {
		return entryRecord[*group.State]{}, err
	}
	apply := func(s *group.State, p *turn.Producer, now time.Time) {
		if offset, ok := rec.(*group.OffsetRecord); ok && p != nil {
			s.ApplyUnstable(offset, p.ID)
			return
		}
		s.Apply(rec, now)
	}
	return entryRecord[*group.State]{rec.GroupID(), apply}, nil
}

// WriteMarker ends a producer's transaction in a partition of
// __consumer_offsets: the offsets that it has committed there become visible,
// or are dropped. What Markers.WriteMarker promises holds for it.
func (g *Groups) WriteMarker(partition int32, m Marker, done func(error)) {
	s, err := g.at(partition)
	if err != nil {
		done(err)
		return
	}
	out := s.mark(time.Now(), m, done)
	g.schedule(out.next)
	g.finish(s, out)
}
