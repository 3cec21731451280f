package assignor

import (
	"cmp"
	"slices"
)

// Range gives each subscriber of a topic a contiguous range of its partitions,
// the first ones one more where it does not divide. Static members come first,
// in the order of their instances, so that they keep their ranges when dynamic
// members come and go.
func Range(topics []Topic, members []Member) []Assignment {
	result := make([]Assignment, len(members))
	for m := range result {
		result[m] = Assignment{}
	}
	for t, list := range subscribers(topics, members) {
		if len(list) == 0 {
			continue
		}
		slices.SortFunc(list, func(a, b int) int { return byInstance(&members[a], &members[b]) })
		each, more := topics[t].Partitions/int32(len(list)), topics[t].Partitions%int32(len(list))
		next := int32(0)
		for i, m := range list {
			n := each
			if int32(i) < more {
				n++
			}
			for ; n > 0; n-- {
				result[m][topics[t].ID] = append(result[m][topics[t].ID], next)
				next++
			}
		}
	}
	return result
}

func byInstance(a, b *Member) int {
	switch {
	case a.Instance != "" && b.Instance != "":
		return cmp.Compare(a.Instance, b.Instance)
	case a.Instance != "":
		return -1
	case b.Instance != "":
		return 1
	}
	return cmp.Compare(a.ID, b.ID)
}
