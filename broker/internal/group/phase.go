package group

// A Phase is where a group stands between two generations. Kafka calls it the
// group's state; its names are those of DescribeGroups.
type Phase uint8

const (
	// Empty: no members. Offsets may be there, and member ids handed out.
	Empty Phase = iota
	// PreparingRebalance: members are asked to join anew.
	PreparingRebalance
	// CompletingRebalance: all have joined, the leader owes the assignment.
	CompletingRebalance
	// Stable: every member has its assignment or can have it.
	Stable
	// Dead: deleted. The caller forgets the State.
	Dead
)

func (p Phase) String() string {
	switch p {
	case Empty:
		return "Empty"
	case PreparingRebalance:
		return "PreparingRebalance"
	case CompletingRebalance:
		return "CompletingRebalance"
	case Stable:
		return "Stable"
	case Dead:
		return "Dead"
	}
	return "Unknown"
}
