package quota

import (
	"math"
	"time"
)

// bucket holds what may be used at once. Its level is below zero while it is
// in debt.
type bucket struct {
	level float64
	at    time.Time // when level was right
	full  time.Time // when it will be full, unless more is used
}

// maxThrottle bounds a throttle time to what a response can say.
const maxThrottle = math.MaxInt32 * time.Millisecond

// fill brings the level up to now. A clock that went back adds nothing.
func (b *bucket) fill(now time.Time, rate, capacity float64) {
	if passed := now.Sub(b.at); passed > 0 {
		b.level += rate * passed.Seconds()
		b.at = now
	}
	b.level = min(b.level, capacity)
}

// use takes an amount out, or gives a negative one back.
func (b *bucket) use(amount, rate, capacity float64) {
	b.level = min(b.level-amount, capacity)
	b.full = b.at.Add(duration((capacity - b.level) / rate))
}

// debt is how long it takes until the level is zero again.
func (b *bucket) debt(rate float64) time.Duration {
	if b.level >= 0 {
		return 0
	}
	return duration(-b.level / rate)
}

// duration rounds seconds up to what a throttle time can say.
func duration(seconds float64) time.Duration {
	if seconds >= maxThrottle.Seconds() {
		return maxThrottle
	}
	return time.Duration(math.Ceil(seconds*1000)) * time.Millisecond
}
