package coordinator

import (
	"log/slog"
	"time"

	"github.com/millrace-io/millrace/broker/internal/group"
)

// GroupOptions configure the coordinator of consumer groups.
type GroupOptions struct {
	// Group are the settings of the groups. NewMemberID may be nil: Groups
	// then draw random ids.
	Group group.Options
	// ExpiryInterval is how often offsets are looked at for their age
	// (offsets.retention.check.interval.ms). Zero means 10 minutes.
	ExpiryInterval time.Duration
	// Logger takes loads and failures. Nil discards them.
	Logger *slog.Logger
}

const (
	defaultExpiryInterval = 10 * time.Minute
	// retryLoad is how long a log that cannot be read is left alone.
	retryLoad = time.Second
)

func (o *GroupOptions) setDefaults() {
	if o.ExpiryInterval <= 0 {
		o.ExpiryInterval = defaultExpiryInterval
	}
	if o.Group.NewMemberID == nil {
		o.Group.NewMemberID = randomMemberID
	}
}
