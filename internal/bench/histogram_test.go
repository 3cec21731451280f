package bench

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A quantile is never below what it stands for, and at most 1/64 above.
func TestHistogramQuantiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, int64(time.Hour)), 1, 200).Draw(t, "values")
		var a, b Histogram
		for i, v := range values {
			if i%2 == 0 {
				a.Add(time.Duration(v))
			} else {
				b.Add(time.Duration(v))
			}
		}
		a.Merge(&b)
		slices.Sort(values)
		for _, q := range []float64{0, 0.5, 0.99, 1} {
			exact := time.Duration(values[int(q*float64(len(values)-1))])
			if got := a.Quantile(q); got < exact || got > exact+exact/64+1 {
				t.Fatalf("quantile %v of %v is %v, exactly it is %v", q, values, got, exact)
			}
		}
		if a.Max() != time.Duration(values[len(values)-1]) || a.Count() != int64(len(values)) {
			t.Fatalf("max %v, count %d of %v", a.Max(), a.Count(), values)
		}
	})
}

func TestHistogramEmpty(t *testing.T) {
	var h Histogram
	if h.Quantile(0.99) != 0 || h.Max() != 0 {
		t.Error("an empty histogram has a quantile")
	}
}
