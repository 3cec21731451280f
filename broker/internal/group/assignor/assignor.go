package assignor

// TopicID is the id of a topic (KIP-516).
type TopicID = [16]byte

// A Topic is one that at least one member is subscribed to.
type Topic struct {
	ID         TopicID
	Name       string
	Partitions int32
}

// A Member wants a share of the topics that it is subscribed to.
type Member struct {
	ID       string
	Instance string // of a static member, else empty
	// Topics are positions in the list of topics, ascending.
	Topics []int
	// Had is what the last target assignment gave to the member. It may name
	// topics and partitions that are no more.
	Had Assignment
}

// An Assignment holds partitions by topic, ascending. Topics without
// partitions are not in it.
type Assignment map[TopicID][]int32

// Equal reports whether two assignments are the same.
func (a Assignment) Equal(b Assignment) bool {
	if len(a) != len(b) {
		return false
	}
	for id, partitions := range a {
		other, ok := b[id]
		if !ok || len(other) != len(partitions) {
			return false
		}
		for i := range partitions {
			if partitions[i] != other[i] {
				return false
			}
		}
	}
	return true
}

// Func assigns every partition of every topic that has a subscriber. The result
// is in the order of the members.
type Func func(topics []Topic, members []Member) []Assignment

// The names of the assignors, as clients and configs use them.
const (
	UniformName = "uniform"
	RangeName   = "range"
)

// ByName finds an assignor.
func ByName(name string) (Func, bool) {
	switch name {
	case UniformName:
		return Uniform, true
	case RangeName:
		return Range, true
	}
	return nil, false
}

// subscribers returns, for each topic, the positions of its subscribers in the
// list of members.
func subscribers(topics []Topic, members []Member) [][]int {
	lists := make([][]int, len(topics))
	for m := range members {
		for _, t := range members[m].Topics {
			lists[t] = append(lists[t], m)
		}
	}
	return lists
}
