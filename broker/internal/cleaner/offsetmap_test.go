package cleaner

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func TestOffsetMapAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := NewOffsetMap(rapid.IntRange(0, 1<<20).Draw(t, "bytes"))
		for range rapid.IntRange(1, 3).Draw(t, "rounds") {
			m.Reset(rapid.Int64Range(0, 5000).Draw(t, "expected"))
			want, offset := map[string]int64{}, int64(0)
			for n := rapid.IntRange(0, 3000).Draw(t, "puts"); n > 0; n-- {
				if !m.Fits(1) {
					if len(want) < minKeys {
						t.Fatalf("full with %d keys", len(want))
					}
					m.grow(1)
				}
				key := fmt.Sprint(rapid.IntRange(0, 2000).Draw(t, "key"))
				offset += int64(n)
				m.Put([]byte(key), offset)
				want[key] = offset
			}
			if m.Len() != len(want) {
				t.Fatalf("%d keys, want %d", m.Len(), len(want))
			}
			for i := range 2001 {
				key := fmt.Sprint(i)
				offset, ok := want[key]
				if !ok {
					offset = -1
				}
				if got := m.Latest([]byte(key)); got != offset {
					t.Fatalf("%s is at %d, want %d", key, got, offset)
				}
			}
		}
	})
}

// The memory is bounded by what was allowed, and by what is needed.
func TestOffsetMapMemory(t *testing.T) {
	m := NewOffsetMap(1 << 20)
	m.Reset(1 << 40)
	if got := len(m.slots) * slotBytes; got > 1<<20 {
		t.Errorf("%d bytes for a limit of 1 MiB", got)
	}
	m.Reset(10)
	if got := len(m.slots) * slotBytes; got > 64<<10 {
		t.Errorf("%d bytes for ten keys", got)
	}
}

func BenchmarkOffsetMap(b *testing.B) {
	m := NewOffsetMap(128 << 20)
	keys := make([][]byte, 1<<20)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "customer-%d", i)
	}
	m.Reset(int64(len(keys)))
	b.ResetTimer()
	for i := range b.N {
		m.Put(keys[i&(len(keys)-1)], int64(i))
	}
}
