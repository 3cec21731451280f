package progress

import "fmt"

// Source is the state of a source partition when a flow begins.
type Source struct {
	Start, End int64
	TopicID    string
}

// Policy says what to do where going on would lose or repeat something
// silently. The zero value stops.
type Policy struct {
	ContinueOnGap        bool // on_gap: continue
	ContinueOnDivergence bool // on_divergence: continue
	FollowRecreated      bool // on_recreated: follow
}

// Next is what to do with a partition.
type Next struct {
	// From is the source offset to begin at.
	From int64
	// CheckTail says that the target may hold records that were copied after
	// the position was written: compare them with the source from From on.
	CheckTail bool
	// Lost is how many source offsets were skipped under ContinueOnGap.
	Lost int64
	// Stop says why the partition cannot go on; with it nothing else counts.
	Stop *Stop
}

// Stop is why a partition does not go on, and what would help.
type Stop struct {
	// Reason is a stable word: gap, divergence, recreated, target.
	Reason string
	// Message says what was found, Remedy what to do.
	Message, Remedy string
}

func (s *Stop) Error() string { return s.Message + ": " + s.Remedy }

// Decide says where to go on. position is nil for a partition that was never
// copied: a flow writes the first position before the first record.
func Decide(position *Position, source Source, targetEnd int64, policy Policy) Next {
	if position == nil {
		return Next{From: source.Start}
	}
	switch {
	case position.TopicID != "" && source.TopicID != "" && position.TopicID != source.TopicID:
		if policy.FollowRecreated {
			return Next{From: source.Start}
		}
		return stop("recreated",
			fmt.Sprintf("the source topic was deleted and created again (id %s, was %s)", source.TopicID, position.TopicID),
			"set on_recreated: follow to copy the new topic from its start")
	case position.TargetNext > targetEnd:
		return stop("target",
			fmt.Sprintf("the target ends at offset %d, but records up to %d were copied there", targetEnd, position.TargetNext),
			"the target topic was deleted or lost data: delete it and rename the flow to copy from the start")
	case position.Next > source.End:
		if policy.ContinueOnDivergence {
			return Next{From: source.End}
		}
		return stop("divergence",
			fmt.Sprintf("the source ends at offset %d, but was copied up to %d: it lost records", source.End, position.Next),
			"set on_divergence: continue to go on from the source's end")
	case position.Next < source.Start:
		if policy.ContinueOnGap {
			return Next{From: source.Start, CheckTail: targetEnd > position.TargetNext, Lost: source.Start - position.Next}
		}
		return stop("gap",
			fmt.Sprintf("offsets %d to %d were deleted at the source before they were copied", position.Next, source.Start-1),
			"set on_gap: continue to go on without them, and give the source a longer retention")
	}
	return Next{From: position.Next, CheckTail: targetEnd > position.TargetNext}
}

func stop(reason, message, remedy string) Next {
	return Next{Stop: &Stop{Reason: reason, Message: message, Remedy: remedy}}
}
