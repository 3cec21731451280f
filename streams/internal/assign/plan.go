package assign

import (
	"cmp"
	"slices"
)

// Task is a task to be given to a member: a number of a subtopology and a
// partition.
type Task struct {
	Subtopology int
	Partition   int32
}

// compare puts partitions first, so that the subtopologies, which differ in
// what they cost, are spread evenly.
func (t Task) compare(u Task) int {
	return cmp.Or(cmp.Compare(t.Partition, u.Partition), cmp.Compare(t.Subtopology, u.Subtopology))
}

// Member is a member of the group and the tasks it has now.
type Member struct {
	ID  string
	Has []Task
}

// Plan gives every task to one member. No member has more than one task more
// than any other, and within that a task stays with the member that has it;
// of two that claim it, the first in order.
func Plan(tasks []Task, members []Member) map[string][]Task {
	plan := make(map[string][]Task, len(members))
	if len(members) == 0 {
		return plan
	}
	tasks = slices.Clone(tasks)
	slices.SortFunc(tasks, Task.compare)
	least, more := len(tasks)/len(members), len(tasks)%len(members)

	free := make(map[Task]bool, len(tasks))
	for _, t := range tasks {
		free[t] = true
	}
	// First everyone keeps what they may: up to the fair share, and one more
	// while there are tasks left over. Who has the most goes first, so that the
	// places for one more go to those who would lose a task without it.
	order := slices.Clone(members)
	slices.SortStableFunc(order, func(a, b Member) int {
		return cmp.Or(cmp.Compare(len(b.Has), len(a.Has)), cmp.Compare(a.ID, b.ID))
	})
	for _, m := range order {
		quota := least
		if more > 0 {
			quota++
		}
		has := slices.Clone(m.Has)
		slices.SortFunc(has, Task.compare)
		for _, t := range has {
			if free[t] && len(plan[m.ID]) < quota {
				free[t] = false
				plan[m.ID] = append(plan[m.ID], t)
			}
		}
		if len(plan[m.ID]) > least {
			more--
		}
	}
	// Then the rest goes to whoever has the least.
	for _, t := range tasks {
		if !free[t] {
			continue
		}
		to := slices.MinFunc(order, func(a, b Member) int {
			return cmp.Or(cmp.Compare(len(plan[a.ID]), len(plan[b.ID])), cmp.Compare(a.ID, b.ID))
		})
		plan[to.ID] = append(plan[to.ID], t)
	}
	return plan
}
