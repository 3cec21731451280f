package sim

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/millrace-io/millrace/broker/internal/cleaner"
	"github.com/millrace-io/millrace/broker/internal/commitlog"
	"github.com/millrace-io/millrace/broker/internal/coordinator"
	"github.com/millrace-io/millrace/broker/internal/group"
	"github.com/millrace-io/millrace/broker/internal/replica"
)

// plan is what a seed draws before its run: the sizes of everything and how
// often things break. Seeds that differ widely find more than many alike.
type plan struct {
	steps            int
	topics           int
	producers        int
	workers          int
	transactors      int
	offsetPartitions int32
	valueBytes       int
	openFiles        int
	snapshotEntries  int
	static           map[string]string
	data             replica.Config // of topics
	offsets          replica.Config // of the coordinators' topic
	coordinator      coordinator.GroupOptions

	faulty       bool
	stepsToEnd   int // a life ends between two steps, once in so many
	effectsToEnd int // or at one of so many effects on the disk
	syncFailure  int // a sync fails in one life of so many
	fullDisk     int // the disk is full once in so many steps
}

func drawPlan(rng *rand.Rand) plan {
	oneOf := func(n ...int) int { return n[rng.IntN(len(n))] }
	members := 0
	data := replica.Config{
		Log: commitlog.Config{
			SegmentBytes:   int64(oneOf(3000, 5000, 20_000, 1<<20)),
			IndexInterval:  oneOf(1, 200, 4096),
			RetentionBytes: int64(oneOf(0, 0, 6000, 40_000)),
		},
		PageCache: rng.IntN(8) == 0,
		MinISR:    1,
	}
	if rng.IntN(3) == 0 {
		data.Compact, data.Log.Compacted, data.Log.KeepAll = true, true, rng.IntN(2) == 0
	}
	data.Cleaning = cleaner.Policy{
		MinDirtyRatio:   []float64{0, 0.5}[rng.IntN(2)],
		MaxLag:          cleaner.Unlimited,
		DeleteRetention: time.Duration(rng.IntN(600)) * time.Second,
	}
	offsets := data
	offsets.Compact = true
	offsets.PageCache, offsets.Log.Compacted, offsets.Log.KeepAll = false, true, true
	p := plan{
		steps: 500, topics: 1 + rng.IntN(3), producers: 1 + rng.IntN(4), workers: rng.IntN(4),
		offsetPartitions: int32(1 + rng.IntN(2)),
		valueBytes:       oneOf(1, 20, 600),
		openFiles:        oneOf(0, 2, 8),
		snapshotEntries:  oneOf(3, 10, 1000),
		static:           map[string]string{},
		data:             data, offsets: offsets,
		coordinator: coordinator.GroupOptions{
			ExpiryInterval: sessionTimeout,
			Group: group.Options{
				MaxSessionTimeout: sessionTimeout, MaxMetadata: 100, OffsetRetention: sessionTimeout,
				NewMemberID: func(prefix string) string { members++; return fmt.Sprintf("%s-%d", prefix, members) },
			},
		},
		faulty:       true,
		stepsToEnd:   oneOf(20, 100, 1000),
		effectsToEnd: oneOf(20, 200, 1000),
		syncFailure:  oneOf(2, 5, 1000),
		fullDisk:     oneOf(50, 200, 1_000_000),
	}
	if !data.PageCache { // There a loss of power tears transactions, as it does in Kafka.
		p.transactors = rng.IntN(4)
	}
	return p
}

// config is a topic's configuration.
func (p *plan) config(topic string) replica.Config {
	if topic == offsetsTopic {
		return p.offsets
	}
	return p.data
}
