package replica

import "testing"

// Whatever the order of writes and flushes, a wait may learn of bytes late but
// never of bytes that are not visible.
func TestMarksNeverCountTooMuch(t *testing.T) {
	var m marks
	truth := map[int64]int64{0: 0}
	offset, bytes, committed, seen := int64(0), int64(0), int64(0), int64(0)
	for i := range int64(5000) {
		offset, bytes = offset+1+i%3, bytes+100+i%7
		truth[offset] = bytes
		m.add(offset, bytes)
		if i%500 > 300 { // a high watermark that stood still catches up, and follows
			for committed++; truth[committed] == 0; committed++ {
			}
		}
		got := m.below(committed)
		if got > truth[committed] || got < seen {
			t.Fatalf("%d bytes below offset %d: there are %d, and there were %d", got, committed, truth[committed], seen)
		}
		seen = got
		if len(m.list) > maxMarks {
			t.Fatalf("%d marks", len(m.list))
		}
	}
	if m.below(offset) != bytes {
		t.Errorf("%d bytes in all, the marks say %d", bytes, m.below(offset))
	}
}
