package worker

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/millrace-io/millrace/connect"
)

// retryDelay is the wait between tries of something that is about to work,
// such as a topic that was just made.
const retryDelay = 100 * time.Millisecond

// backoff decides when a failed task starts again: pure, time is an argument.
type backoff struct {
	policy   connect.RestartPolicy
	failures int         // in a row
	recent   []time.Time // failures within the window, for MaxAttempts
}

// next records a failure at now of a run that began at started, and returns
// the delay. False means that the attempts are over.
//
// The delay doubles from MinDelay to MaxDelay; jitter in [0,1) takes up to
// half of it away, so that tasks which failed together do not come back
// together. A run that lasted longer than MaxDelay ends the row.
func (b *backoff) next(started, now time.Time, jitter float64) (time.Duration, bool) {
	if b.policy.Never {
		return 0, false
	}
	if now.Sub(started) > b.policy.MaxDelay {
		b.failures = 0
	}
	for len(b.recent) > 0 && now.Sub(b.recent[0]) > b.policy.Window {
		b.recent = b.recent[1:]
	}
	if limit := b.policy.MaxAttempts; limit > 0 {
		if len(b.recent) >= limit {
			return 0, false
		}
		b.recent = append(b.recent, now)
	}
	delay := b.policy.MaxDelay
	if b.failures < 30 && b.policy.MinDelay<<b.failures < delay {
		delay = b.policy.MinDelay << b.failures
	}
	b.failures++
	return delay - time.Duration(jitter*float64(delay)/2), true
}

func jitter() float64 { return rand.Float64() }

// pause waits, and ends early with the context.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
