package cleaner

import (
	"hash/maphash"
	"math/bits"
	"unsafe"
)

// OffsetMap notes the newest offset of keys in a bounded piece of memory. It
// holds a hash of 128 bits in the place of a key, with seeds of the process's
// own: no two keys meet by accident or by intent.
//
//	24 bytes a slot, at most three in four used: 4 million keys in 128 MiB
type OffsetMap struct {
	maxSlots int
	seeds    [2]maphash.Seed
	slots    []slot
	n        int
}

type slot struct {
	a, b uint64 // the hash
	next int64  // the offset + 1; 0 for a free slot
}

const slotBytes = int(unsafe.Sizeof(slot{}))

// minKeys is what a map takes at least, so that one batch always fits.
const minKeys = 1 << 10

// NewOffsetMap returns a map that uses up to so many bytes. It takes them when
// they are needed.
func NewOffsetMap(maxBytes int) *OffsetMap {
	return &OffsetMap{maxSlots: maxBytes / slotBytes, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}}
}

// Reset empties the map and makes it ready for so many keys, as far as the
// memory goes.
func (m *OffsetMap) Reset(keys int64) {
	keys = max(keys, minKeys)
	want := int(min(keys+keys/3+1, int64(max(m.maxSlots, minKeys*4/3+1))))
	m.n = 0
	if want > len(m.slots) || want < len(m.slots)/4 {
		m.slots = make([]slot, want)
		return
	}
	clear(m.slots)
}

// Len is how many keys there are.
func (m *OffsetMap) Len() int { return m.n }

// Fits reports whether there is room for so many more keys.
func (m *OffsetMap) Fits(keys int) bool { return m.n+keys <= len(m.slots)/4*3 }

// grow makes room for a batch with more keys than the whole map holds.
func (m *OffsetMap) grow(keys int) {
	old := m.slots
	m.slots = make([]slot, (m.n+keys)*4/3+8)
	for _, s := range old {
		if s.next != 0 {
			*m.find(s.a, s.b) = s
		}
	}
}

// Put notes that a key stands at an offset, which is above those it had.
func (m *OffsetMap) Put(key []byte, offset int64) {
	a, b := m.hash(key)
	s := m.find(a, b)
	if s.next == 0 {
		m.n++
	}
	*s = slot{a, b, offset + 1}
}

// Latest returns the newest offset of a key, -1 for none.
func (m *OffsetMap) Latest(key []byte) int64 {
	if m.n == 0 {
		return -1
	}
	a, b := m.hash(key)
	return m.find(a, b).next - 1
}

func (m *OffsetMap) hash(key []byte) (a, b uint64) {
	return maphash.Bytes(m.seeds[0], key), maphash.Bytes(m.seeds[1], key)
}

// find returns the key's slot, or the free one that it would take.
func (m *OffsetMap) find(a, b uint64) *slot {
	i, _ := bits.Mul64(a, uint64(len(m.slots)))
	for {
		s := &m.slots[i]
		if s.next == 0 || s.a == a && s.b == b {
			return s
		}
		if i++; i == uint64(len(m.slots)) {
			i = 0
		}
	}
}
