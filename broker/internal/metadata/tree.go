package metadata

import (
	"bytes"
	"cmp"
	"iter"
	"strings"
)

// tree is an immutable ordered map: a treap whose priorities are hashes of
// the keys. Its shape depends on its contents alone, not on the order of the
// changes, so equal images are equal throughout and iterate alike on every
// node. The zero tree is empty. Reading costs O(log n); so does a change,
// which shares all but one path with the tree that it came from.
type tree[K any, V any, O order[K]] struct {
	root *leaf[K, V]
	n    int
}

// order compares and hashes keys. Implementations are empty structs.
type order[K any] interface {
	compare(a, b K) int
	hash(K) uint64
}

type leaf[K, V any] struct {
	key         K
	value       V
	priority    uint64
	left, right *leaf[K, V]
}

func (t tree[K, V, O]) find(key K) (V, bool) {
	var o O
	for n := t.root; n != nil; {
		switch c := o.compare(key, n.key); {
		case c == 0:
			return n.value, true
		case c < 0:
			n = n.left
		default:
			n = n.right
		}
	}
	var none V
	return none, false
}

// with returns the tree with the key set to the value.
func (t tree[K, V, O]) with(key K, value V) tree[K, V, O] {
	var o O
	fresh := &leaf[K, V]{key: key, value: value, priority: o.hash(key)}
	if _, ok := t.find(key); ok {
		t.root = replace(o, t.root, fresh)
		return t
	}
	t.root = insert(o, t.root, fresh)
	t.n++
	return t
}

// without returns the tree without the key.
func (t tree[K, V, O]) without(key K) tree[K, V, O] {
	var o O
	if _, ok := t.find(key); !ok {
		return t
	}
	t.root = remove(o, t.root, key)
	t.n--
	return t
}

// all iterates in the order of the keys.
func (t tree[K, V, O]) all() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) { walk(t.root, yield) }
}

func walk[K, V any](n *leaf[K, V], yield func(K, V) bool) bool {
	return n == nil || walk(n.left, yield) && yield(n.key, n.value) && walk(n.right, yield)
}

// replace sets the value of a key that is there.
func replace[K, V any, O order[K]](o O, n, fresh *leaf[K, V]) *leaf[K, V] {
	c := *n
	switch d := o.compare(fresh.key, n.key); {
	case d == 0:
		c.value = fresh.value
	case d < 0:
		c.left = replace(o, n.left, fresh)
	default:
		c.right = replace(o, n.right, fresh)
	}
	return &c
}

// insert adds a key that is not there.
func insert[K, V any, O order[K]](o O, n, fresh *leaf[K, V]) *leaf[K, V] {
	if n == nil || above(o, fresh, n) {
		fresh.left, fresh.right = split(o, n, fresh.key)
		return fresh
	}
	c := *n
	if o.compare(fresh.key, n.key) < 0 {
		c.left = insert(o, n.left, fresh)
	} else {
		c.right = insert(o, n.right, fresh)
	}
	return &c
}

// above says which of two is nearer to the root. Equal hashes are settled by
// the keys, so that the shape stays a function of the contents.
func above[K, V any, O order[K]](o O, a, b *leaf[K, V]) bool {
	if a.priority != b.priority {
		return a.priority > b.priority
	}
	return o.compare(a.key, b.key) < 0
}

// split parts a tree into the keys below and above one that is not in it.
func split[K, V any, O order[K]](o O, n *leaf[K, V], key K) (below, over *leaf[K, V]) {
	if n == nil {
		return nil, nil
	}
	c := *n
	if o.compare(key, n.key) < 0 {
		below, c.left = split(o, n.left, key)
		return below, &c
	}
	c.right, over = split(o, n.right, key)
	return &c, over
}

func remove[K, V any, O order[K]](o O, n *leaf[K, V], key K) *leaf[K, V] {
	d := o.compare(key, n.key)
	if d == 0 {
		return join(o, n.left, n.right)
	}
	c := *n
	if d < 0 {
		c.left = remove(o, n.left, key)
	} else {
		c.right = remove(o, n.right, key)
	}
	return &c
}

// join makes one tree of two whose keys do not overlap.
func join[K, V any, O order[K]](o O, a, b *leaf[K, V]) *leaf[K, V] {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case above(o, a, b):
		c := *a
		c.right = join(o, a.right, b)
		return &c
	}
	c := *b
	c.left = join(o, a, b.left)
	return &c
}

// fnv is FNV-1a with a final mix, so that short keys spread over all bits.
// The hash must be the same in every process, which rules out maphash.
func fnv[T ~string | ~[]byte](h uint64, s T) uint64 {
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	return h ^ h>>33
}

const fnvBasis = 14695981039346656037

type byText struct{}

func (byText) compare(a, b string) int { return strings.Compare(a, b) }
func (byText) hash(k string) uint64    { return fnv(fnvBasis, k) }

type byUUID struct{}

func (byUUID) compare(a, b UUID) int { return bytes.Compare(a[:], b[:]) }
func (byUUID) hash(k UUID) uint64    { return fnv(fnvBasis, k[:]) }

type byResource struct{}

func (byResource) compare(a, b Resource) int {
	return cmp.Or(cmp.Compare(a.Type, b.Type), strings.Compare(a.Name, b.Name))
}
func (byResource) hash(k Resource) uint64 { return fnv(fnvBasis^uint64(k.Type), k.Name) }
