package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/broker/internal/api"
	"github.com/millrace-io/millrace/broker/internal/commitlog"
	"github.com/millrace-io/millrace/broker/internal/controller"
	"github.com/millrace-io/millrace/broker/internal/coordinator"
	"github.com/millrace-io/millrace/broker/internal/datadir"
	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/broker/internal/quorum"
	"github.com/millrace-io/millrace/broker/internal/quota"
	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/broker/internal/server"
	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/internal/memnet"
	"github.com/millrace-io/millrace/internal/vfs"
)

// Broker is a running broker.
type Broker struct {
	cfg     Config
	network *memnet.Network
	// bound are the client listeners; the internal one is not among them.
	bound []server.Listener

	dir      *datadir.Dir
	node     *quorum.Node
	runner   *quorum.Runner
	images   *metadata.Publisher
	replicas *replica.Set
	groups   *coordinator.Groups
	quotas   *quota.Book
	txns     *coordinator.Transactions
	forward  *forwarder
	metrics  *metrics
	api      *api.Broker

	stop   context.CancelFunc
	once   sync.Once
	tasks  sync.WaitGroup
	failed chan error // from tasks that ended before they should
	closed error      // what Close returned; set once
}

// ErrDataDir is among the errors of Start where the data directory cannot be
// taken into use: it cannot be made or written, another process has it, or it
// belongs to another node.
var ErrDataDir = errors.New("data directory")

// dataDirError is an error that is ErrDataDir too; its text names the
// directory already.
type dataDirError struct{ error }

func (e dataDirError) Is(target error) bool { return target == ErrDataDir }
func (e dataDirError) Unwrap() error        { return e.error }

// Start starts a broker and returns when clients can use it. Until then ctx
// can end the start; afterwards Close ends the broker.
func Start(ctx context.Context, cfg Config) (*Broker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("broker configuration: %w", err)
	}
	b := &Broker{cfg: cfg.withDefaults(), network: &memnet.Network{}, images: &metadata.Publisher{}, metrics: newMetrics(), failed: make(chan error, 8)}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	b.stop = stop
	if err := b.start(ctx, running); err != nil {
		return nil, errors.Join(err, b.abandon())
	}
	return b, nil
}

// start goes through the order of a start: lock and read the directory, bind
// without accepting, lead the quorum, register and unfence, which opens the
// partitions, load the groups, accept.
func (b *Broker) start(ctx, running context.Context) error {
	if err := b.openDir(); err != nil {
		return err
	}
	listeners, err := b.listen()
	if err != nil {
		return err
	}
	incarnation := newID()
	if err := b.openQuorum(incarnation); err != nil {
		return err
	}
	b.run("data directory", func() error { return b.dir.Run(running) })
	b.run("quorum", func() error { return b.runner.Run(running) })
	b.run("group coordinator", func() error { return ignore(running, b.groups.Run(running)) })
	b.run("transaction coordinator", func() error { return ignore(running, b.txns.Run(running)) })
	if err := b.join(ctx, incarnation, listeners); err != nil {
		return err
	}
	b.serve(running, listeners)
	return nil
}

func (b *Broker) openDir() (err error) {
	var fs vfs.FS = vfs.OS{}
	root := b.cfg.DataDir
	if root == "" {
		fs, root = vfs.NewMem(), "/data"
	}
	storage := (&metadata.Image{}).BrokerLayers(b.cfg.NodeID, b.static()).StorageConfig()
	b.dir, err = datadir.Open(fs, root, datadir.Options{
		NodeID: b.cfg.NodeID, Flushed: b.metrics.flushed, Logger: b.cfg.Logger, RetentionInterval: storage.RetentionInterval,
		Cleaner: datadir.CleanerOptions{
			Backoff: storage.CleanerBackoff, KeyBytes: storage.CleanerKeyBytes, BytesPerSecond: storage.CleanerBytesPerSecond,
		},
	})
	if err != nil {
		return dataDirError{err}
	}
	return nil
}

// listen binds every listener; clients that connect now wait.
func (b *Broker) listen() ([]server.Listener, error) {
	internal, err := b.network.Listen(b.internalAddress())
	if err != nil {
		return nil, err
	}
	b.bound = append(b.bound, server.Listener{Name: internalListener, Listener: internal})
	for _, l := range b.cfg.Listeners {
		bound := l.Bound
		if bound == nil {
			if bound, err = net.Listen("tcp", l.Address); err != nil {
				return nil, fmt.Errorf("listener %s: %w", l.Name, err)
			}
		}
		b.bound = append(b.bound, server.Listener{Name: l.Name, Listener: bound})
	}
	return b.bound, nil
}

// internalPort is the port of the in-process listener, on which node-<id>
// resolves to the broker's memory.
const internalPort = 9092

func (b *Broker) internalAddress() string {
	return fmt.Sprintf("node-%d:%d", b.cfg.NodeID, internalPort)
}

func (b *Broker) openQuorum(incarnation metadata.UUID) (err error) {
	directory, err := metadata.ParseUUID(b.dir.Meta().DirectoryID)
	if err != nil {
		return fmt.Errorf("directory id in meta.properties: %w", err)
	}
	b.node, err = quorum.Open(quorum.Config{
		FS: b.dir.FS(), Dir: path.Join(b.dir.Root(), metadataTopic+"-0"),
		ID: quorum.RaftID(b.cfg.NodeID, directory), Logger: b.cfg.Logger,
	}, now())
	if err != nil {
		return err
	}
	b.runner = quorum.NewRunner(b.node, b.images)
	static := b.static()
	server := (&metadata.Image{}).BrokerLayers(b.cfg.NodeID, static)
	b.replicas = replica.NewSet(replica.Deps{
		Broker: b.cfg.NodeID, FS: b.dir.FS(), Files: b.dir.Files(), Disk: replica.OnDisk(b.dir), Now: now,
		ProducerExpiry: server.BrokerValue("producer.id.expiration.ms").Milliseconds(), Logger: b.cfg.Logger,
	})
	b.groups = coordinator.NewGroups(b.groupOptions(server))
	b.quotas = quota.New(quotaConfig(server.QuotaConfig()))
	b.txns = coordinator.NewTransactions(b.transactionOptions(server))
	b.forward = &forwarder{
		runner: b.runner, broker: b.cfg.NodeID, logger: b.cfg.Logger,
		rules: controller.Rules{Static: static, LowerReplication: b.cfg.LowerReplication, NewID: newID},
	}
	applier := &applier{
		broker: b.cfg.NodeID, incarnation: incarnation, static: static, replicas: b.replicas,
		coordinated: []coordinated{
			{offsetsTopic, b.groups, map[int32]int32{}}, {transactionsTopic, b.txns, map[int32]int32{}},
		},
		dir: b.dir, quotas: b.quotas, logger: b.cfg.Logger,
	}
	b.images.Subscribe(applier.apply)
	return nil
}

// join makes the broker a serving part of the cluster.
func (b *Broker) join(ctx context.Context, incarnation metadata.UUID, listeners []server.Listener) error {
	select {
	case <-b.runner.Active():
	case err := <-b.failed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := b.forward.form(ctx); err != nil {
		return fmt.Errorf("form the cluster: %w", err)
	}
	if err := b.dir.SetClusterID(b.images.Image().ClusterID()); err != nil {
		return err
	}
	endpoints, err := b.endpoints(listeners)
	if err != nil {
		return err
	}
	registration := controller.Registration{
		Broker: b.cfg.NodeID, ClusterID: b.images.Image().ClusterID(), Incarnation: incarnation, Listeners: endpoints,
	}
	if err := b.forward.register(ctx, registration); err != nil {
		return fmt.Errorf("register: %w", err)
	}
	if err := b.forward.unfence(ctx); err != nil {
		return fmt.Errorf("unfence: %w", err)
	}
	if err := b.groups.AwaitLoaded(ctx); err != nil {
		return err
	}
	return b.txns.AwaitLoaded(ctx)
}

// serve accepts clients and makes the broker's metrics known.
func (b *Broker) serve(running context.Context, listeners []server.Listener) {
	b.api = api.New(api.Deps{
		NodeID: b.cfg.NodeID, Static: b.static(), Images: b.images, Replicas: b.replicas, Controller: b.forward,
		Coordinator: b.groups, Transactions: b.txns, Markers: &markers{b.replicas, b.groups}, Quotas: b.quotas, DataDirs: []string{b.dir.Root()},
		Logger: b.cfg.Logger, Metrics: b.metrics.server(),
	})
	srv := server.New(b.serverConfig(), b.api)
	b.run("server", func() error { return ignore(running, srv.Serve(running, listeners...)) })
	if b.cfg.Metrics != nil {
		for _, c := range b.collectors() {
			if err := b.cfg.Metrics.Register(c); err != nil {
				b.cfg.Logger.Warn("metrics are incomplete", "err", err)
			}
		}
	}
}

// run starts a part that should only end when the broker does.
func (b *Broker) run(name string, f func() error) {
	b.tasks.Go(func() {
		if err := f(); err != nil {
			b.failed <- fmt.Errorf("%s: %w", name, err)
		}
	})
}

// ignore leaves out an error that only says that the context has ended.
func ignore(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// Failed delivers the error of a part that ended by itself, such as a disk
// that cannot be written any more. The broker should be closed then.
func (b *Broker) Failed() <-chan error { return b.failed }

// ClusterID is the id of the cluster, drawn at its first start.
func (b *Broker) ClusterID() string { return b.images.Image().ClusterID() }

// Addrs are the addresses of the listeners of Config, in its order.
func (b *Broker) Addrs() []string {
	var all []string
	for _, l := range b.bound[1:] {
		all = append(all, l.Addr().String())
	}
	return all
}

// Cluster is the profile by which the process itself reaches the broker,
// through memory.
func (b *Broker) Cluster() cluster.Profile {
	return cluster.Profile{Name: "local", Bootstrap: []string{b.internalAddress()}, Dial: b.network.Dial}
}

// Close ends the broker in order: it stops taking requests, answers those
// under way, flushes, and marks the directory as cleanly closed.
func (b *Broker) Close() error {
	b.once.Do(func() { b.closed = b.close() })
	return b.closed
}

func (b *Broker) close() error {
	b.stop()
	b.tasks.Wait()
	b.api.Close()
	b.unregister()
	err := b.dir.Checkpoint()
	if closeErr := b.replicas.Close(); closeErr != nil {
		err = errors.Join(err, closeErr)
	}
	return errors.Join(err, b.dir.Close(err == nil))
}

// collectors are everything that the broker reports.
func (b *Broker) collectors() []prometheus.Collector {
	return append(b.metrics.collectors(), collector{b.replicas}, cleanerCollector{b.dir}, groupCollector{b.replicas, b.groups})
}

func (b *Broker) unregister() {
	if b.cfg.Metrics == nil {
		return
	}
	for _, c := range b.collectors() {
		b.cfg.Metrics.Unregister(c)
	}
}

// abandon undoes a start that failed.
func (b *Broker) abandon() error {
	b.stop()
	for _, l := range b.bound {
		_ = l.Close() // the server closes those that it serves; a second Close is harmless
	}
	for _, l := range b.cfg.Listeners {
		if l.Bound != nil {
			_ = l.Bound.Close()
		}
	}
	b.tasks.Wait()
	var err error
	if b.replicas != nil {
		err = b.replicas.Close()
	}
	if b.node != nil && b.runner == nil {
		err = errors.Join(err, b.node.Close())
	}
	if b.dir != nil {
		err = errors.Join(err, b.dir.Close(false))
	}
	if errors.Is(err, commitlog.ErrClosed) {
		return nil
	}
	return err
}

var (
	_ prometheus.Collector = collector{}
	_ prometheus.Collector = groupCollector{}
)
