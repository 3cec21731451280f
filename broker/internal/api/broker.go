package api

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/broker/internal/quota"
	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/broker/internal/server"
	"github.com/millrace-io/millrace/broker/internal/wire"
)

// Deps is what the APIs answer from.
type Deps struct {
	// NodeID is this broker's id.
	NodeID int32
	// Static holds the configs that the broker was started with.
	Static map[string]string
	// Images publishes the cluster's metadata.
	Images *metadata.Publisher
	// Replicas holds the partitions that have a replica here.
	Replicas *replica.Set
	// Controller decides what changes the metadata.
	Controller Controller
	// Coordinator runs the groups that are led here.
	Coordinator Coordinator
	// Quotas books what clients use; nil for no quotas.
	Quotas *quota.Book
	// Transactions runs the transactional ids that are led here.
	Transactions Transactions
	// Markers ends transactions in the partitions here.
	Markers Markers
	// DataDirs are the directories that DescribeLogDirs lists.
	DataDirs []string
	Logger   *slog.Logger
	Metrics  server.Metrics
}

// Broker answers the requests of one node. It is a [server.Handler].
type Broker struct {
	Deps
	apis     []API
	byKey    [maxKey + 1]*API
	hot      hotPools
	sessions *sessions
	ids      *producerIDs
	settings atomic.Pointer[settings]

	// large is held while a large frame is decoded: kmsg may allocate eighty
	// times what it reads, so only one such frame at a time is allowed to.
	large sync.Mutex

	ctx      context.Context
	stop     context.CancelFunc
	blocking sync.WaitGroup
}

const (
	// largeFrame is the size from which frames are decoded one at a time.
	largeFrame = 64 << 10
	// maxKey is the highest API key that Kafka has.
	maxKey = 94
)

// New returns a Broker. Close ends what it does in the background.
func New(deps Deps) *Broker {
	if deps.Logger == nil {
		deps.Logger = slog.New(slog.DiscardHandler)
	}
	if deps.Metrics.Failed == nil {
		deps.Metrics.Failed = func(int16, int16) {}
	}
	b := &Broker{Deps: deps, apis: Table()}
	for i := range b.apis {
		b.byKey[b.apis[i].Key] = &b.apis[i]
	}
	b.sessions = newSessions(b.serverConfig().FetchSessionSlots)
	b.ids = newProducerIDs(deps.Controller)
	b.ctx, b.stop = context.WithCancel(context.Background())
	return b
}

// Close cancels requests that wait for the controller and returns when their
// goroutines have ended. The server must have stopped calling Serve.
func (b *Broker) Close() {
	b.stop()
	b.blocking.Wait()
}

// Serve implements [server.Handler].
func (b *Broker) Serve(r *server.Request) (server.Reply, error) {
	api := b.find(r.Key)
	if api == nil {
		return nil, &server.CloseError{Reason: server.Unsupported, Detail: unknownAPI(r.Header)}
	}
	if r.Version < api.From() || r.Version > api.Max {
		if r.Key == wire.KeyAPIVersions {
			return b.unsupportedAPIVersions(r), nil
		}
		return nil, &server.CloseError{Reason: server.Unsupported, Detail: unsupportedVersion(r.Header, api)}
	}
	if b.Quotas.Limited(quota.Request) {
		return b.timed(api, r)
	}
	return api.serve(b, r)
}

func (b *Broker) find(key int16) *API {
	if key < 0 || key > maxKey {
		return nil
	}
	return b.byKey[key]
}

// image is the newest metadata that this node has acted on.
func (b *Broker) image() *metadata.Image { return b.Images.Image() }
