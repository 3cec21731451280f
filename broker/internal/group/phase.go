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
	// Assigning: of the consumer protocol, and its members have changed since
	// the last target assignment.
	Assigning
	// Reconciling: of the consumer protocol, and a member has not reached its
	// target.
	Reconciling
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
	case Assigning:
		return "Assigning"
	case Reconciling:
		return "Reconciling"
	}
	return "Unknown"
}
