package assignor

// Uniform divides partitions so that no member could hand one to another, over
// any chain of members, and the two be nearer to each other. Members keep what
// they had as far as that allows.
//
// Partitions without an owner go to the subscriber that has least. Then the
// most loaded members give partitions away: a breadth-first search over "owns a
// partition of a topic that the other is subscribed to" finds the nearest
// member with at least two partitions less, and every edge on the way hands
// over one partition. Each such step makes the sum of squares of the loads
// smaller, so there is an end. Where all are subscribed to the same, the way is
// one edge long.
func Uniform(topics []Topic, members []Member) []Assignment {
	b := newBalance(topics, members)
	b.keep()
	b.fill()
	b.level()
	return b.result()
}

const nobody = -1

// balance is an assignment in the making. Members and topics are their
// positions in the lists.
type balance struct {
	topics      []Topic
	members     []Member
	subscribers [][]int   // by topic
	had         [][]int   // by topic and partition: the owner before
	owner       [][]int   // by topic and partition
	load        []int     // by member
	owns        [][]int32 // by member and topic: how many partitions
}

func newBalance(topics []Topic, members []Member) *balance {
	b := &balance{
		topics: topics, members: members, subscribers: subscribers(topics, members),
		had: make([][]int, len(topics)), owner: make([][]int, len(topics)),
		load: make([]int, len(members)), owns: make([][]int32, len(members)),
	}
	for t := range topics {
		b.had[t], b.owner[t] = make([]int, topics[t].Partitions), make([]int, topics[t].Partitions)
		for p := range b.owner[t] {
			b.had[t][p], b.owner[t][p] = nobody, nobody
		}
	}
	for m := range members {
		b.owns[m] = make([]int32, len(topics))
	}
	return b
}

// keep gives members what they had and are still subscribed to.
func (b *balance) keep() {
	for m := range b.members {
		for _, t := range b.members[m].Topics {
			for _, p := range b.members[m].Had[b.topics[t].ID] {
				if p >= 0 && p < b.topics[t].Partitions && b.owner[t][p] == nobody {
					b.had[t][p] = m
					b.give(t, int(p), m)
				}
			}
		}
	}
}

func (b *balance) give(t, p, m int) {
	if from := b.owner[t][p]; from != nobody {
		b.load[from]--
		b.owns[from][t]--
	}
	b.owner[t][p] = m
	b.load[m]++
	b.owns[m][t]++
}

// fill gives every partition that nobody has to the least loaded subscriber.
func (b *balance) fill() {
	for t, list := range b.subscribers {
		if len(list) == 0 {
			continue
		}
		for p, m := range b.owner[t] {
			if m != nobody {
				continue
			}
			least := list[0]
			for _, candidate := range list[1:] {
				if b.load[candidate] < b.load[least] {
					least = candidate
				}
			}
			b.give(t, p, least)
		}
	}
}

// level moves partitions from the most loaded members while that helps.
func (b *balance) level() {
	settled := make([]bool, len(b.members))
	for {
		from := b.mostLoaded(settled)
		if from == nobody {
			return
		}
		if !b.relieve(from) {
			settled[from] = true
			continue
		}
		clear(settled) // the step may have opened a way for others
	}
}

// mostLoaded leaves out who cannot be relieved, and those who are not more than
// one above the least loaded, for whom there is no need.
func (b *balance) mostLoaded(settled []bool) int {
	most, least := nobody, 0
	for m := range b.members {
		if b.load[m] < b.load[least] {
			least = m
		}
		if !settled[m] && (most == nobody || b.load[m] > b.load[most]) {
			most = m
		}
	}
	if most == nobody || b.load[most] < b.load[least]+2 {
		return nobody
	}
	return most
}

// edge says how a member was reached: it would take over a partition of the
// topic from the other.
type edge struct{ from, topic int }

// relieve hands one partition along the shortest way from a member to one with
// at least two partitions less. It reports whether there is a way.
func (b *balance) relieve(from int) bool {
	reached := make(map[int]edge, len(b.members))
	reached[from] = edge{nobody, nobody}
	seen := make([]bool, len(b.topics))
	for queue := []int{from}; len(queue) > 0; queue = queue[1:] {
		best := nobody
		for _, t := range b.members[queue[0]].Topics {
			if seen[t] || b.owns[queue[0]][t] == 0 {
				continue
			}
			seen[t] = true
			for _, m := range b.subscribers[t] {
				if _, ok := reached[m]; ok {
					continue
				}
				reached[m] = edge{queue[0], t}
				queue = append(queue, m)
				if b.load[m] <= b.load[from]-2 && (best == nobody || b.load[m] < b.load[best]) {
					best = m
				}
			}
		}
		if best != nobody {
			b.shift(best, reached)
			return true
		}
	}
	return false
}

// shift hands a partition over each edge of the way that leads to a member.
func (b *balance) shift(to int, reached map[int]edge) {
	for e := reached[to]; e.from != nobody; e = reached[to] {
		b.give(e.topic, b.pick(e.from, e.topic), to)
		to = e.from
	}
}

// pick chooses which partition a member gives away: the last one that it has
// only just been given, else the last.
func (b *balance) pick(m, t int) int {
	last := nobody
	for p := len(b.owner[t]) - 1; p >= 0; p-- {
		if b.owner[t][p] != m {
			continue
		}
		if b.had[t][p] != m {
			return p
		}
		if last == nobody {
			last = p
		}
	}
	return last
}

func (b *balance) result() []Assignment {
	result := make([]Assignment, len(b.members))
	for m := range result {
		result[m] = Assignment{}
	}
	for t := range b.topics {
		id := b.topics[t].ID
		for p, m := range b.owner[t] {
			if m != nobody {
				result[m][id] = append(result[m][id], int32(p))
			}
		}
	}
	return result
}
