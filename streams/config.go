package streams

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/streams/serde"
)

// Guarantee is what an application promises about its results.
type Guarantee uint8

// The guarantees.
const (
	// AtLeastOnce: no record is lost, some may count twice after a crash.
	AtLeastOnce Guarantee = iota
	// ExactlyOnce needs transactions; see [ErrExactlyOnce].
	ExactlyOnce
)

// ErrExactlyOnce is returned by New for Config.Guarantee = ExactlyOnce, which
// this version cannot give.
var ErrExactlyOnce = errors.New("guarantee exactly once is not available in this version, which has no transactions yet; use AtLeastOnce")

// Config is what an application runs with. The zero value of an optional field
// is its default.
type Config struct {
	// Cluster is where the topics are.
	Cluster cluster.Profile
	// AppID is the group's id and the prefix of all internal topics.
	AppID string
	// Guarantee is AtLeastOnce by default.
	Guarantee Guarantee
	// StateDir holds the stores, below a directory named after AppID. It is
	// needed if there are any, and belongs to one process at a time.
	StateDir string
	// DeadLetters is a topic for records that cannot be processed. With it
	// Deserialization and Processing are by default Always(DeadLetter),
	// without it Always(Fail). It is created if it does not exist.
	DeadLetters string
	// Deserialization decides about records that do not decode or have no
	// event time.
	Deserialization Handler
	// Processing decides about records for which a function fails or panics,
	// or whose results do not encode.
	Processing Handler
	// CommitInterval is the time between commits while there is something to
	// commit: one second by default. It bounds what is processed again after a
	// crash.
	CommitInterval time.Duration
	// StateBytes is how much uncommitted state a worker holds before it
	// commits early: 32 MiB by default. About as much again may hold what is
	// committed, as a cache.
	StateBytes int
	// MaxIdle is how long a task with several inputs waits for records of one
	// that is caught up, so as to process the others' in the right order: not
	// at all by default.
	MaxIdle time.Duration
	// SessionTimeout is how long the group waits for an instance that is not
	// heard of: 45 seconds by default.
	SessionTimeout time.Duration
	// Workers is how many members, each with a client and a goroutine for its
	// tasks, run in this process: by default as many as there are processors
	// or tasks, whichever is less.
	Workers int
	// ReplicationFactor of internal topics: the cluster's default by default.
	ReplicationFactor int
	// Replay says that the input is older than the broker's clock by more than
	// retention, as in a replay or a batch: changelogs of windowed stores are
	// then created with retention.ms = -1, since a broker deletes by record
	// timestamps against its own clock and would delete what was just written.
	Replay bool
	// Logger is slog.Default() by default.
	Logger *slog.Logger
	// Metrics is where metrics are registered: nowhere by default.
	Metrics prometheus.Registerer
}

var validAppID = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,100}$`)

// validate reports every fault.
func (c Config) validate(stateful bool) error {
	var errs []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	if err := c.Cluster.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("cluster: %w", err))
	}
	fault(!validAppID.MatchString(c.AppID), "AppID %q: need 1 to 100 characters a-z A-Z 0-9 . _ -: it begins the names of topics", c.AppID)
	fault(c.Guarantee == ExactlyOnce, "Guarantee: %w", ErrExactlyOnce)
	fault(c.Guarantee > ExactlyOnce, "Guarantee %d: need AtLeastOnce or ExactlyOnce", c.Guarantee)
	fault(stateful && c.StateDir == "", "StateDir: the topology has stores and needs a directory for them")
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"CommitInterval", c.CommitInterval}, {"MaxIdle", c.MaxIdle}, {"SessionTimeout", c.SessionTimeout}} {
		fault(d.value < 0, "%s %v: must not be negative", d.name, d.value)
	}
	fault(c.StateBytes < 0, "StateBytes %d: must not be negative", c.StateBytes)
	fault(c.Workers < 0, "Workers %d: must not be negative", c.Workers)
	fault(c.ReplicationFactor < 0 || c.ReplicationFactor > 1<<15-1, "ReplicationFactor %d: need 1 to 32767, or 0 for the cluster's default", c.ReplicationFactor)
	return errors.Join(errs...)
}

// withDefaults gives optional fields their defaults.
func (c Config) withDefaults() Config {
	fallback := Always(Fail)
	if c.DeadLetters != "" {
		fallback = Always(DeadLetter)
	}
	if c.Deserialization == nil {
		c.Deserialization = fallback
	}
	if c.Processing == nil {
		c.Processing = fallback
	}
	if c.CommitInterval == 0 {
		c.CommitInterval = time.Second
	}
	if c.StateBytes == 0 {
		c.StateBytes = 32 << 20
	}
	if c.SessionTimeout == 0 {
		c.SessionTimeout = 45 * time.Second
	}
	if c.Workers == 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	if c.ReplicationFactor == 0 {
		c.ReplicationFactor = -1
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// handle chooses the handler by stage. A dead letter without a topic for it
// would vanish, so it fails.
func (c Config) handle(f *Fault) Action {
	if errors.Is(f, serde.ErrUnavailable) {
		return Fail // the record may be fine: it is read again after a restart
	}
	h := c.Processing
	if f.Stage == Deserialization {
		h = c.Deserialization
	}
	action := h(f)
	if action == DeadLetter && c.DeadLetters == "" {
		return Fail
	}
	return action
}
