package assignor

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func topic(n byte, partitions int32) Topic {
	return Topic{ID: TopicID{n}, Name: fmt.Sprintf("t%d", n), Partitions: partitions}
}

func member(id string, topics ...int) Member { return Member{ID: id, Topics: topics} }

func TestRange(t *testing.T) {
	topics := []Topic{topic(1, 3), topic(2, 3), topic(3, 1)}
	members := []Member{member("a", 0, 1), member("b", 0, 1, 2), {ID: "z", Instance: "i", Topics: []int{0}}}
	got := Range(topics, members)
	want := []Assignment{
		{{1}: {1}, {2}: {0, 1}},
		{{1}: {2}, {2}: {2}, {3}: {0}},
		{{1}: {0}}, // static members come first
	}
	for m := range want {
		if !got[m].Equal(want[m]) {
			t.Errorf("%s has %v, want %v", members[m].ID, got[m], want[m])
		}
	}
}

// Members with the same subscription own equal partitions of equal topics, so
// that joins find their counterpart.
func TestRangeCoPartitions(t *testing.T) {
	topics := []Topic{topic(1, 7), topic(2, 7)}
	got := Range(topics, []Member{member("a", 0, 1), member("b", 0, 1), member("c", 0, 1)})
	for m := range got {
		if !slices.Equal(got[m][TopicID{1}], got[m][TopicID{2}]) {
			t.Errorf("member %d has %v and %v", m, got[m][TopicID{1}], got[m][TopicID{2}])
		}
	}
}

// Only what a new member must get moves.
func TestUniformIsSticky(t *testing.T) {
	topics := []Topic{topic(1, 6), topic(2, 6)}
	first := Uniform(topics, []Member{member("a", 0, 1), member("b", 0, 1)})
	members := []Member{member("a", 0, 1), member("b", 0, 1), member("c", 0, 1)}
	members[0].Had, members[1].Had = first[0], first[1]
	second := Uniform(topics, members)
	moved := 0
	for m := range first {
		for id, partitions := range first[m] {
			for _, p := range partitions {
				if !slices.Contains(second[m][id], p) {
					moved++
				}
			}
		}
	}
	if moved != 4 || size(second[2]) != 4 {
		t.Errorf("%d partitions moved to a member that has %d, want 4 and 4", moved, size(second[2]))
	}
}

// A chain of members lets one without a topic in common with the most loaded
// relieve it.
func TestUniformOverAChain(t *testing.T) {
	topics := []Topic{topic(1, 6), topic(2, 3)}
	members := []Member{member("a", 0), member("b", 0, 1), member("c", 1)}
	members[0].Had = Assignment{{1}: {0, 1, 2, 3}}
	members[1].Had = Assignment{{1}: {4, 5}, {2}: {0}}
	members[2].Had = Assignment{{2}: {1, 2}}
	for m, a := range Uniform(topics, members) {
		if size(a) != 3 {
			t.Errorf("%s has %d partitions, want 3", members[m].ID, size(a))
		}
	}
}

func size(a Assignment) (n int) {
	for _, partitions := range a {
		n += len(partitions)
	}
	return n
}

// Whatever the input, every partition with a subscriber has one owner, who is
// subscribed; uniform is level and, given its own result, changes nothing.
func TestAssignorsAssignEverythingOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		topics, members := draw(t)
		for _, name := range []string{UniformName, RangeName} {
			assign, _ := ByName(name)
			got := assign(topics, members)
			checkOwners(t, name, topics, members, got)
		}
		got := Uniform(topics, members)
		checkLevel(t, topics, members, got)
		for m := range members {
			members[m].Had = got[m]
		}
		for m, again := range Uniform(topics, members) {
			if !again.Equal(got[m]) {
				t.Fatalf("%s had %v and has %v", members[m].ID, got[m], again)
			}
		}
	})
}

func draw(t *rapid.T) ([]Topic, []Member) {
	var topics []Topic
	for i := range rapid.IntRange(1, 5).Draw(t, "topics") {
		topics = append(topics, topic(byte(i+1), rapid.Int32Range(1, 12).Draw(t, "partitions")))
	}
	var members []Member
	for i := range rapid.IntRange(1, 7).Draw(t, "members") {
		m := Member{ID: fmt.Sprint("m", i), Had: Assignment{}}
		for n := range topics {
			if rapid.Bool().Draw(t, "subscribed") {
				m.Topics = append(m.Topics, n)
			}
			if rapid.Bool().Draw(t, "had") {
				m.Had[topics[n].ID] = []int32{rapid.Int32Range(0, 15).Draw(t, "had partition")}
			}
		}
		members = append(members, m)
	}
	return topics, members
}

func checkOwners(t *rapid.T, name string, topics []Topic, members []Member, got []Assignment) {
	subscribed := subscribers(topics, members)
	for n := range topics {
		owners := map[int32]int{}
		for m := range members {
			for _, p := range got[m][topics[n].ID] {
				if !slices.Contains(subscribed[n], m) {
					t.Fatalf("%s: %s has %s-%d without a subscription", name, members[m].ID, topics[n].Name, p)
				}
				owners[p]++
			}
		}
		for p := range topics[n].Partitions {
			want := min(1, len(subscribed[n]))
			if owners[p] != want {
				t.Fatalf("%s: %s-%d has %d owners, want %d", name, topics[n].Name, p, owners[p], want)
			}
		}
	}
}

// checkLevel looks for a single partition whose move would make two members
// more alike.
func checkLevel(t *rapid.T, topics []Topic, members []Member, got []Assignment) {
	subscribed := subscribers(topics, members)
	for n := range topics {
		for m := range members {
			if len(got[m][topics[n].ID]) == 0 {
				continue
			}
			for _, other := range subscribed[n] {
				if size(got[m]) > size(got[other])+1 {
					t.Fatalf("%s has %d and %s only %d, and both read %s", members[m].ID, size(got[m]), members[other].ID, size(got[other]), topics[n].Name)
				}
			}
		}
	}
}

func BenchmarkUniform(b *testing.B) {
	var topics []Topic
	var all []int
	for i := range 10 {
		topics, all = append(topics, topic(byte(i), 1000)), append(all, i)
	}
	var members []Member
	for i := range 100 {
		members = append(members, Member{ID: fmt.Sprintf("m%03d", i), Topics: all})
	}
	for m, a := range Uniform(topics, members[:99]) {
		members[m].Had = a
	}
	for b.Loop() {
		Uniform(topics, members)
	}
}
