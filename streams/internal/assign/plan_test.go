package assign_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/millrace-io/millrace/streams/internal/assign"
)

func tasks(n int) []assign.Task {
	out := make([]assign.Task, n)
	for i := range out {
		out[i] = assign.Task{Subtopology: i % 3, Partition: int32(i / 3)}
	}
	return out
}

// Every task has one owner, nobody has two tasks more than another, and a
// second plan over the first one's result moves nothing.
func TestPlanIsCompleteBalancedAndSticky(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := tasks(rapid.IntRange(0, 40).Draw(t, "tasks"))
		members := make([]assign.Member, rapid.IntRange(1, 7).Draw(t, "members"))
		for i := range members {
			members[i].ID = fmt.Sprint("m", i)
		}
		for _, task := range all {
			if i := rapid.IntRange(-1, len(members)-1).Draw(t, "owner"); i >= 0 {
				members[i].Has = append(members[i].Has, task)
			}
		}
		plan := assign.Plan(all, members)
		seen := map[assign.Task]int{}
		least, most := len(all), 0
		for i, m := range members {
			for _, task := range plan[m.ID] {
				seen[task]++
			}
			least, most = min(least, len(plan[m.ID])), max(most, len(plan[m.ID]))
			members[i].Has = plan[m.ID]
		}
		for _, task := range all {
			if seen[task] != 1 {
				t.Fatalf("task %v is given %d times", task, seen[task])
			}
		}
		if most-least > 1 {
			t.Fatalf("between %d and %d tasks per member", least, most)
		}
		again := assign.Plan(all, members)
		for _, m := range members {
			for _, task := range m.Has {
				if !slices.Contains(again[m.ID], task) {
					t.Fatalf("%s loses %v although nothing has changed", m.ID, task)
				}
			}
		}
	})
}

func TestPlanMovesNoMoreThanItMust(t *testing.T) {
	has := tasks(9)
	plan := assign.Plan(has, []assign.Member{{ID: "old", Has: has[:5]}, {ID: "other", Has: has[5:]}, {ID: "new"}})
	for i, member := range []string{"old", "other"} {
		for _, task := range plan[member] {
			if (i == 0) != slices.Contains(has[:5], task) {
				t.Errorf("%s got %v, which the other had", member, task)
			}
		}
	}
	if len(plan["new"]) != 3 {
		t.Errorf("the new member got %d tasks, want 3", len(plan["new"]))
	}
}
