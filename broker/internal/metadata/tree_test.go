package metadata

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

type words = tree[string, int, byText]

// A tree is a map that iterates in order, every older version stays as it
// was, and equal contents have equal shapes whatever the history.
func TestTreeIsAPersistentMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type version struct {
			tree words
			want map[string]int
		}
		versions := []version{{want: map[string]int{}}}
		key := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g", "h", "aa", "ab", "ba", ""})
		for i := range rapid.IntRange(0, 60).Draw(t, "steps") {
			last := versions[len(versions)-1]
			k, want := key.Draw(t, "key"), maps.Clone(last.want)
			if rapid.Bool().Draw(t, "remove") {
				delete(want, k)
				versions = append(versions, version{last.tree.without(k), want})
				continue
			}
			want[k] = i
			versions = append(versions, version{last.tree.with(k, i), want})
		}
		for _, v := range versions {
			var fresh words
			for _, k := range slices.Sorted(maps.Keys(v.want)) {
				fresh = fresh.with(k, v.want[k])
			}
			checkTree(t, v.tree, v.want)
			if shape(v.tree.root) != shape(fresh.root) {
				t.Fatalf("shape depends on history: %s, %s", shape(v.tree.root), shape(fresh.root))
			}
		}
	})
}

func checkTree(t *rapid.T, got words, want map[string]int) {
	if got.n != len(want) {
		t.Fatalf("n = %d, want %d", got.n, len(want))
	}
	var keys []string
	for k, v := range got.all() {
		keys = append(keys, k)
		if found, ok := got.find(k); !ok || found != v || want[k] != v {
			t.Fatalf("%q: iterated %d, found %d, want %d", k, v, found, want[k])
		}
	}
	if !slices.Equal(keys, slices.Sorted(maps.Keys(want))) {
		t.Fatalf("keys %q, want those of %v", keys, want)
	}
}

func shape(n *leaf[string, int]) string {
	if n == nil {
		return "."
	}
	return "(" + shape(n.left) + n.key + shape(n.right) + ")"
}
