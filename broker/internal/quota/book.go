package quota

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace-io/millrace/broker/internal/metadata"
)

// Config shapes the buckets of a Book.
type Config struct {
	// Window is how long a client may save up: quota.window.num times
	// quota.window.size.seconds. Zero is 11 s.
	Window time.Duration
	// MutationWindow is that of the mutation quota. Zero is 11 s.
	MutationWindow time.Duration
	// MaxRequestThrottle bounds the throttle time of the request quota:
	// quota.window.size.seconds. Zero is 1 s.
	MaxRequestThrottle time.Duration
}

const defaultWindow = 11 * time.Second

// Book keeps account of what clients use. Its methods may be called by any
// goroutine. A nil Book charges nothing.
type Book struct {
	cfg    Config
	limits atomic.Pointer[Limits]
	// accepts is the rate of new connections of all addresses together
	// (max.connection.creation.rate); 0 for no limit.
	accepts atomic.Int64

	mu      sync.Mutex
	buckets map[owner]*bucket
	sweepAt int // number of buckets at which those that are full are dropped
}

// leastSweep is the number of buckets below which none is looked for to drop.
const leastSweep = 1024

// New returns a Book without limits.
func New(cfg Config) *Book {
	if cfg.Window <= 0 {
		cfg.Window = defaultWindow
	}
	if cfg.MutationWindow <= 0 {
		cfg.MutationWindow = defaultWindow
	}
	if cfg.MaxRequestThrottle <= 0 {
		cfg.MaxRequestThrottle = time.Second
	}
	return &Book{cfg: cfg, buckets: make(map[owner]*bucket), sweepAt: leastSweep}
}

// Update takes over the quotas of an image.
func (b *Book) Update(image *metadata.Image) { b.limits.Store(LimitsOf(image)) }

// AcceptRate sets how many connections per second are accepted; 0 for no
// limit.
func (b *Book) AcceptRate(perSecond int64) { b.accepts.Store(perSecond) }

// Accept counts a new connection and returns how long none may be accepted
// after it.
func (b *Book) Accept(now time.Time) time.Duration {
	if b == nil {
		return 0
	}
	rate := b.accepts.Load()
	if rate <= 0 {
		return 0
	}
	return b.charge(owner{kind: Connection}, float64(rate), 1, now)
}

// Limited says whether a kind of quota is set for anyone, for callers that
// have to measure before they can charge.
func (b *Book) Limited(kind Kind) bool {
	if b == nil {
		return false
	}
	l := b.limits.Load()
	return l != nil && len(l.clients[kind]) > 0
}

// Charge books an amount to a client and returns how long it has to pause.
// Amounts are bytes, seconds for Request, partitions for Mutation. A negative
// one gives back.
func (b *Book) Charge(kind Kind, c Client, amount float64, now time.Time) time.Duration {
	o, rate, ok := b.find(kind, c)
	if !ok {
		return 0
	}
	return b.charge(o, rate, amount, now)
}

// Debt is how long a client still has to pause for what it has used.
func (b *Book) Debt(kind Kind, c Client, now time.Time) time.Duration {
	return b.Charge(kind, c, 0, now)
}

// Connect counts a new connection from an address and returns how long it has
// to be held back.
func (b *Book) Connect(ip string, now time.Time) time.Duration {
	if b == nil {
		return 0
	}
	l := b.limits.Load()
	if l == nil {
		return 0
	}
	o, rate, ok := l.address(ip)
	if !ok {
		return 0
	}
	return b.charge(o, rate, 1, now)
}

func (b *Book) find(kind Kind, c Client) (owner, float64, bool) {
	if b == nil {
		return owner{}, 0, false
	}
	l := b.limits.Load()
	if l == nil {
		return owner{}, 0, false
	}
	return l.match(kind, c)
}

// charge books an amount to a bucket.
func (b *Book) charge(o owner, rate, amount float64, now time.Time) time.Duration {
	capacity := rate * b.window(o.kind).Seconds()
	b.mu.Lock()
	defer b.mu.Unlock()
	bk := b.buckets[o]
	if bk == nil {
		bk = b.open(o, capacity, now)
	}
	bk.fill(now, rate, capacity)
	bk.use(amount, rate, capacity)
	debt := bk.debt(rate)
	if o.kind == Request && debt > b.cfg.MaxRequestThrottle {
		// What is beyond is forgiven, or a client that was throttled for as
		// long as can be would never come out of debt.
		bk.level = -rate * b.cfg.MaxRequestThrottle.Seconds()
		debt = b.cfg.MaxRequestThrottle
	}
	return debt
}

func (b *Book) window(kind Kind) time.Duration {
	if kind == Mutation {
		return b.cfg.MutationWindow
	}
	return b.cfg.Window
}

// open makes a full bucket. The owner's names may alias a frame.
func (b *Book) open(o owner, capacity float64, now time.Time) *bucket {
	if len(b.buckets) >= b.sweepAt {
		b.sweep(now)
		b.sweepAt = max(leastSweep, 2*len(b.buckets))
	}
	bk := &bucket{level: capacity, at: now}
	b.buckets[owner{o.kind, strings.Clone(o.user), strings.Clone(o.client)}] = bk
	return bk
}

// sweep drops the buckets that are full, as new ones are.
func (b *Book) sweep(now time.Time) {
	for o, bk := range b.buckets {
		if !now.Before(bk.full) {
			delete(b.buckets, o)
		}
	}
}

// Len is the number of buckets.
func (b *Book) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.buckets)
}
