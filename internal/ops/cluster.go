package ops

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/cluster"
)

// DefaultTimeout bounds one operation on a cluster.
const DefaultTimeout = 10 * time.Second

// Cluster is a cluster to operate on.
type Cluster struct {
	profile cluster.Profile
	client  *kgo.Client
	admin   *kadm.Client
}

// Open prepares for operations; nothing is contacted yet.
func Open(profile cluster.Profile) (*Cluster, error) {
	client, err := profile.Client(
		kgo.RequestRetries(2),
		kgo.RetryTimeout(DefaultTimeout),
		kgo.DialTimeout(3*time.Second),
	)
	if err != nil {
		return nil, &Fault{Kind: Usage, Code: CodeUsage, Message: err.Error()}
	}
	admin := kadm.NewClient(client)
	admin.SetTimeoutMillis(int32(DefaultTimeout.Milliseconds()))
	return &Cluster{profile: profile, client: client, admin: admin}, nil
}

// Close ends the connections.
func (c *Cluster) Close() { c.client.Close() }

// Ready reports whether a broker answers.
func (c *Cluster) Ready(ctx context.Context) error {
	_, err := c.admin.BrokerMetadata(ctx)
	return c.explain("list brokers", err)
}
