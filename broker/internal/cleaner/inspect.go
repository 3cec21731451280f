package cleaner

import (
	"math"
	"time"

	"github.com/millrace-io/millrace/broker/internal/commitlog"
)

// Policy is what a topic's configuration says about its compaction.
type Policy struct {
	// MinDirtyRatio is the share of the log that has to be dirty
	// (min.cleanable.dirty.ratio).
	MinDirtyRatio float64
	// MinLag is how long a record stays untouched (min.compaction.lag.ms).
	MinLag time.Duration
	// MaxLag is the age at which a dirty record makes the log due whatever the
	// ratio (max.compaction.lag.ms).
	MaxLag time.Duration
	// DeleteRetention is how long tombstones and markers stay
	// (delete.retention.ms).
	DeleteRetention time.Duration
}

// Unlimited is the MaxLag that makes no log due.
const Unlimited time.Duration = math.MaxInt64

// Dirt says what of a log awaits the cleaner.
type Dirt struct {
	// From is the first dirty offset, To the first that must not be touched
	// yet. Both are the bases of segments, but for a From that a full map has
	// left in the middle of one.
	From, To int64
	// Ratio is the share of dirty bytes in all below To.
	Ratio float64
	Due   bool
}

// Inspect looks at the closed segments of a log. From is where the last run
// ended; nothing at limit or above may be touched.
func Inspect(log *commitlog.Log, p Policy, from, limit int64, now time.Time) (Dirt, error) {
	from = max(from, log.Start())
	if from > log.End() {
		from = log.Start() // The log is another since: it was cut.
	}
	d := Dirt{From: from, To: from}
	var clean, dirty int64
	oldest := int64(math.MaxInt64)
	for _, s := range log.Spans() {
		if s.End > limit {
			break
		}
		if s.End <= from {
			clean += s.Bytes
			continue
		}
		if p.MinLag > 0 || p.MaxLag < Unlimited {
			first, largest, err := log.Times(s.Base)
			if err != nil {
				return d, err
			}
			if p.MinLag > 0 && largest > now.Add(-p.MinLag).UnixMilli() {
				break
			}
			if first >= 0 {
				oldest = min(oldest, first)
			}
		}
		dirty += s.Bytes
		d.To = s.End
	}
	if dirty == 0 {
		return d, nil
	}
	d.Ratio = float64(dirty) / float64(clean+dirty)
	overdue := p.MaxLag < Unlimited && oldest < now.Add(-p.MaxLag).UnixMilli()
	d.Due = d.Ratio > p.MinDirtyRatio || overdue
	return d, nil
}
