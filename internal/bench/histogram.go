package bench

import (
	"math/bits"
	"time"
)

// Histogram counts durations in buckets that are at most 1/64 wide of what
// they hold, from 1 ns to minutes, in 16 KiB. The zero value is empty. It
// serves one goroutine; Merge brings several together.
type Histogram struct {
	counts [histogramRows << histogramBits]uint32
	n      int64
	max    time.Duration
}

const (
	histogramBits = 6
	histogramRows = 40 // up to 2^45 ns, some ten hours
)

// Add counts one duration.
func (h *Histogram) Add(d time.Duration) {
	h.counts[bucket(d)]++
	h.n++
	h.max = max(h.max, d)
}

// bucket numbers are exact below 64 ns; above, the top seven bits of the
// duration choose one of 64 buckets in its power of two.
func bucket(d time.Duration) int {
	v := uint64(max(d, 0))
	if v < 1<<histogramBits {
		return int(v)
	}
	shift := bits.Len64(v) - histogramBits - 1
	i := shift<<histogramBits + int(v>>shift)
	return min(i, histogramRows<<histogramBits-1)
}

// upper is the largest duration of a bucket.
func upper(i int) time.Duration {
	if i < 2<<histogramBits {
		return time.Duration(i)
	}
	shift := i>>histogramBits - 1
	top := i - shift<<histogramBits
	return time.Duration((top+1)<<shift - 1)
}

// Merge adds what another histogram counted.
func (h *Histogram) Merge(other *Histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.n += other.n
	h.max = max(h.max, other.max)
}

// Count is how many durations were added.
func (h *Histogram) Count() int64 { return h.n }

// Quantile is a duration that at least the fraction q of all do not exceed;
// 0 without any.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	rank := int64(q * float64(h.n-1))
	for i, n := range h.counts {
		if rank < int64(n) {
			return min(upper(i), h.max)
		}
		rank -= int64(n)
	}
	return h.max
}

// Max is the longest duration.
func (h *Histogram) Max() time.Duration { return h.max }
