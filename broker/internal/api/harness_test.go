package api

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/broker/internal/controller"
	"github.com/millrace-io/millrace/broker/internal/coordinator"
	"github.com/millrace-io/millrace/broker/internal/group"
	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/broker/internal/quota"
	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/broker/internal/server"
	"github.com/millrace-io/millrace/broker/internal/turn"
	"github.com/millrace-io/millrace/broker/internal/txn"
	"github.com/millrace-io/millrace/broker/internal/wire"
	"github.com/millrace-io/millrace/internal/kafkaconf"
	"github.com/millrace-io/millrace/internal/memnet"
	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fatal is the part of testing.TB that helpers need.
type fatal interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// node is one broker of real parts on a disk in memory, without the quorum:
// its controller decides and applies on the spot.
type node struct {
	Broker *Broker
	srv    *server.Server
	net    memnet.Network
	images metadata.Publisher
	set    *replica.Set
	groups *coordinator.Groups
	txns   *coordinator.Transactions
	config setup
	quotas *quota.Book

	mu     sync.Mutex // orders decisions, and guards broken
	broken error      // what decisions end with, if set
	epoch  int64      // of the broker's registration
	nextID atomic.Uint32

	disk   sync.Mutex // guards what follows; a decision may dirty partitions
	hold   bool       // flushes wait for flush
	dirty  []*replica.Partition
	failed map[[2]int16]int
}

// setup is how a node is made.
type setup struct {
	static map[string]string
	// others are brokers that are registered and not here.
	others []int32
}

const (
	publicListener = "PLAINTEXT"
	memoryListener = "MEMORY"
)

func start(t fatal, config setup) *node {
	t.Helper()
	n := &node{config: config, failed: map[[2]int16]int{}}
	if n.config.static == nil {
		n.config.static = map[string]string{"group.initial.rebalance.delay.ms": "0", "offsets.topic.num.partitions": "4"}
	}
	fs := vfs.NewMem()
	n.set = replica.NewSet(replica.Deps{
		Broker: 1, FS: fs, Files: vfs.NewFileCache(fs, 0), Disk: n, Now: time.Now,
		ProducerExpiry: 24 * time.Hour, Logger: slog.New(slog.DiscardHandler), Parallel: 1,
	})
	n.groups = coordinator.NewGroups(coordinator.GroupOptions{Group: groupOptions(n.config.static)})
	n.quotas = quota.New(quota.Config{})
	n.txns = coordinator.NewTransactions(coordinator.TransactionOptions{
		Txn: txn.Options{MaxTimeout: 15 * time.Minute, Expiration: 7 * 24 * time.Hour}, Markers: n,
	})
	n.images.Subscribe(n.apply)
	n.form(t)
	n.Broker = New(Deps{
		NodeID: 1, Static: n.config.static, Images: &n.images, Replicas: n.set, Controller: n, Coordinator: n.groups, Transactions: n.txns, Quotas: n.quotas,
		DataDirs: []string{"data"}, Metrics: server.Metrics{Failed: n.note},
	})
	n.srv = server.New(server.Config{}, n.Broker)
	n.run(t)
	return n
}

func groupOptions(static map[string]string) group.Options {
	cfg := kafkaconf.Layers{Static: static}.GroupConfig()
	return group.Options{
		MinSessionTimeout: cfg.MinSessionTimeout, MaxSessionTimeout: cfg.MaxSessionTimeout,
		InitialRebalanceDelay: cfg.InitialRebalanceDelay, MaxSize: cfg.MaxSize,
		MaxMetadata: cfg.OffsetMetadataMax, OffsetRetention: cfg.OffsetsRetention,
	}
}

// form makes the cluster: this broker and the others, all unfenced.
func (n *node) form(t fatal) {
	t.Helper()
	n.decide(func(s controller.State) []metadata.Record { return s.FormCluster(metadata.UUID{9}) })
	for _, id := range append([]int32{1}, n.config.others...) {
		var epoch int64
		n.decide(func(s controller.State) []metadata.Record {
			records, e, err := s.RegisterBroker(controller.Registration{
				Broker: id, Incarnation: metadata.UUID{byte(id)}, Rack: "r",
				Listeners: []metadata.Listener{
					{Name: publicListener, Host: fmt.Sprintf("kafka-%d.example.org", id), Port: 9092},
					{Name: memoryListener, Host: fmt.Sprintf("node-%d", id), Port: 9092},
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			epoch = e
			return records
		})
		n.decide(func(s controller.State) []metadata.Record {
			records, err := s.UnfenceBroker(id, epoch)
			if err != nil {
				t.Fatal(err)
			}
			return records
		})
		if id == 1 {
			n.epoch = epoch
		}
	}
}

func (n *node) run(t fatal) {
	t.Helper()
	public, err := n.net.Listen("kafka-1.example.org:9092")
	if err != nil {
		t.Fatal(err)
	}
	memory, err := n.net.Listen("node-1:9092")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		_ = n.srv.Serve(ctx, server.Listener{Name: publicListener, Listener: public}, server.Listener{Name: memoryListener, Listener: memory})
	})
	running.Go(func() { _ = n.groups.Run(ctx) })
	running.Go(func() { _ = n.txns.Run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
		n.Broker.Close()
		_ = n.set.Close()
	})
}

// decide applies what the controller decides, as the quorum would.
func (n *node) decide(f func(controller.State) []metadata.Record) {
	n.mu.Lock()
	defer n.mu.Unlock()
	image := n.images.Image()
	state := controller.State{Image: image, Rules: controller.Rules{Static: n.config.static, NewID: n.newID}}
	records := f(state)
	if len(records) == 0 {
		return
	}
	delta := image.Edit(image.Index()+1, 1)
	for _, r := range records {
		if err := delta.Apply(r); err != nil {
			panic(err)
		}
	}
	n.images.Publish(delta, delta.Finish())
}

func (n *node) newID() metadata.UUID { return metadata.UUID{0xee, byte(n.nextID.Add(1))} }

// apply is what package broker does with a delta, in the small.
func (n *node) apply(delta *metadata.Delta, image *metadata.Image) {
	n.quotas.Update(image)
	for _, topic := range delta.Removed() {
		_ = n.set.Delete(replica.TopicID(topic.ID))
	}
	for _, change := range delta.Topics() {
		cfg := replica.ConfigOf(image.TopicLayers(change.Topic.Name, 1, n.config.static).TopicConfig())
		for _, index := range change.Partitions {
			p := change.Topic.Partitions[index]
			if !slices.Contains(p.Replicas, 1) {
				continue
			}
			err := n.set.Apply([]replica.Assignment{{
				Topic: change.Topic.Name, TopicID: replica.TopicID(change.Topic.ID), Partition: index, Config: cfg,
				Leadership: replica.Leadership{Leader: p.Leader, LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch, Replicas: p.Replicas, ISR: p.ISR},
			}})
			if err != nil {
				panic(err)
			}
			switch change.Topic.Name {
			case offsetsTopic:
				n.groups.Lead(index, int32(len(change.Topic.Partitions)), &memLog{})
			case transactionsTopic:
				n.txns.Lead(index, int32(len(change.Topic.Partitions)), &memLog{})
			}
		}
	}
}

// WriteMarker implements coordinator.Markers.
func (n *node) WriteMarker(at txn.Partition, m coordinator.Marker, done func(error)) {
	if at.Topic == offsetsTopic {
		n.groups.WriteMarker(at.Index, m, done)
		return
	}
	p, ok := n.set.Partition(at.Topic, at.Index)
	if !ok {
		done(nil)
		return
	}
	_, err := p.WriteMarker(replica.Marker{
		ProducerID: m.ProducerID, ProducerEpoch: m.ProducerEpoch, CoordinatorEpoch: m.CoordinatorEpoch,
		Commit: m.Commit, TransactionVersion: int8(m.Version),
	})
	done(err)
}

// memLog is a coordinator's log that is durable at once.
type memLog struct {
	mu      sync.Mutex
	batches []record.Batch
	end     int64
}

func (*memLog) Epoch() int32                                         { return 0 }
func (*memLog) Mark(coordinator.Marker) (int64, error)               { return 0, nil }
func (*memLog) VerifyProducer(turn.Producer) coordinator.Guard       { return 1 }
func (*memLog) CheckProducer(turn.Producer, coordinator.Guard) error { return nil }

func (l *memLog) Append(b record.Batch) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b = slices.Clone(b)
	b.Stamp(l.end, 1)
	l.batches = append(l.batches, b)
	l.end = b.LastOffset() + 1
	return b.LastOffset(), nil
}

func (l *memLog) Await(_ int64, done func(error)) { done(nil) }

func (l *memLog) Replay(visit func(record.Batch) error) error { return nil }

// Place, Dirty and Forget make the node the disk of its replicas.

func (n *node) Place(topic string, id replica.TopicID, partition int32) (replica.Place, error) {
	return replica.Place{Dir: fmt.Sprintf("data/%s-%d-%x", topic, partition, id[:2])}, nil
}

func (n *node) Dirty(p *replica.Partition) {
	n.disk.Lock()
	if !slices.Contains(n.dirty, p) {
		n.dirty = append(n.dirty, p)
	}
	hold := n.hold
	n.disk.Unlock()
	if !hold {
		n.flush()
	}
}

func (n *node) DirtyBy(*replica.Partition, time.Time) {}

func (n *node) Forget(*replica.Partition) {}

// holdFlushes makes flushes wait for flush.
func (n *node) holdFlushes() {
	n.disk.Lock()
	defer n.disk.Unlock()
	n.hold = true
}

func (n *node) flush() {
	n.disk.Lock()
	dirty := n.dirty
	n.dirty = nil
	n.disk.Unlock()
	for _, p := range dirty {
		f := p.Capture()
		if err := f.Sync(); err != nil {
			p.FlushFailed(err)
			continue
		}
		_ = p.FlushDone(f)
	}
}

func (n *node) note(key, code int16) {
	n.disk.Lock()
	defer n.disk.Unlock()
	n.failed[[2]int16{key, code}]++
}

// The Controller of the node.

func (n *node) CreateTopics(_ context.Context, topics []controller.NewTopic, validateOnly bool) (results []controller.TopicResult, err error) {
	return results, n.ask(func(s controller.State) (records []metadata.Record) {
		records, results = s.CreateTopics(topics, validateOnly)
		return records
	})
}

func (n *node) DeleteTopics(_ context.Context, refs []controller.TopicRef) (results []controller.DeleteResult, err error) {
	return results, n.ask(func(s controller.State) (records []metadata.Record) {
		records, results = s.DeleteTopics(refs)
		return records
	})
}

func (n *node) CreatePartitions(_ context.Context, wishes []controller.MorePartitions, validateOnly bool) (results []controller.PartitionsResult, err error) {
	return results, n.ask(func(s controller.State) (records []metadata.Record) {
		records, results = s.CreatePartitions(wishes, validateOnly)
		return records
	})
}

func (n *node) AlterConfigs(_ context.Context, wishes []controller.AlterConfig, incremental, validateOnly bool) (results []controller.ConfigResult, err error) {
	return results, n.ask(func(s controller.State) (records []metadata.Record) {
		if incremental {
			records, results = s.IncrementalAlterConfigs(wishes, validateOnly)
		} else {
			records, results = s.AlterConfigs(wishes, validateOnly)
		}
		return records
	})
}

func (n *node) AlterClientQuotas(_ context.Context, wishes []controller.AlterQuota, validateOnly bool) (results []*controller.Error, err error) {
	return results, n.ask(func(s controller.State) (records []metadata.Record) {
		records, results = s.AlterClientQuotas(wishes, validateOnly)
		return records
	})
}

func (n *node) AlterScram(_ context.Context, wishes []controller.ScramWish) (results []controller.ScramResult, err error) {
	return results, n.ask(func(s controller.State) (records []metadata.Record) {
		records, results = s.AlterScram(wishes)
		return records
	})
}

func (n *node) UpdateFeatures(_ context.Context, updates []controller.FeatureUpdate, validateOnly bool) error {
	var refusal *controller.Error
	err := n.ask(func(s controller.State) (records []metadata.Record) {
		records, refusal = s.UpdateFeatures(updates, validateOnly)
		return records
	})
	if err == nil && refusal != nil {
		return refusal
	}
	return err
}

func (n *node) AllocateProducerIDs(context.Context) (block controller.IDBlock, err error) {
	return block, n.ask(func(s controller.State) (records []metadata.Record) {
		records, block, _ = s.AllocateProducerIDs(1, n.epoch)
		return records
	})
}

func (n *node) ask(f func(controller.State) []metadata.Record) error {
	n.mu.Lock()
	broken := n.broken
	n.mu.Unlock()
	if broken != nil {
		return broken
	}
	n.decide(f)
	return nil
}

func (n *node) breakController(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.broken = err
}

// create makes topics with one partition each, led here.
func (n *node) create(t fatal, names ...string) {
	t.Helper()
	for _, name := range names {
		n.createTopic(t, controller.NewTopic{Name: name, Partitions: 1, Replicas: 1})
	}
}

func (n *node) createTopic(t fatal, topic controller.NewTopic) {
	t.Helper()
	results, err := n.CreateTopics(context.Background(), []controller.NewTopic{topic}, false)
	if err != nil {
		t.Fatal(err)
	}
	if results[0].Err != nil {
		t.Fatal(results[0].Err)
	}
}

func (n *node) topicID(t fatal, name string) [16]byte {
	t.Helper()
	topic, ok := n.images.Image().Topic(name)
	if !ok {
		t.Fatalf("there is no topic %s", name)
	}
	return topic.ID
}

// client is a connection that speaks kmsg.
type client struct {
	t    fatal
	conn net.Conn
	next int32
}

func (n *node) dial(t fatal, address string) *client {
	t.Helper()
	conn, err := n.net.Dial(context.Background(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &client{t: t, conn: conn}
}

func (n *node) client(t fatal) *client { return n.dial(t, "kafka-1.example.org:9092") }

// send writes a request at its version and returns its correlation id.
func (c *client) send(req kmsg.Request) int32 {
	c.t.Helper()
	c.next++
	frame := kmsg.NewRequestFormatter(kmsg.FormatterClientID("test")).AppendRequest(nil, req, c.next)
	if _, err := c.conn.Write(frame); err != nil {
		c.t.Fatal(err)
	}
	return c.next
}

// receive reads the response to req, which must be the next one.
func (c *client) receive(req kmsg.Request, id int32) kmsg.Response {
	c.t.Helper()
	var length [4]byte
	if _, err := io.ReadFull(c.conn, length[:]); err != nil {
		c.t.Fatalf("no response: %v", err)
	}
	body := make([]byte, binary.BigEndian.Uint32(length[:]))
	if _, err := io.ReadFull(c.conn, body); err != nil {
		c.t.Fatalf("half a response: %v", err)
	}
	if got := int32(binary.BigEndian.Uint32(body)); got != id {
		c.t.Fatalf("response to request %d, want %d", got, id)
	}
	body = body[4:]
	if req.IsFlexible() && req.Key() != 18 {
		body = body[1:]
	}
	resp := req.ResponseKind()
	if err := resp.ReadFrom(body); err != nil {
		c.t.Fatalf("response to %s v%d does not decode: %v", kmsg.NameForKey(req.Key()), req.GetVersion(), err)
	}
	return resp
}

// closed waits for the broker to close the connection.
func (c *client) closed() {
	c.t.Helper()
	if n, _ := io.Copy(io.Discard, c.conn); n != 0 {
		c.t.Fatalf("got %d bytes, want the connection closed", n)
	}
}

// ask sends a request and returns its response.
func ask[Resp kmsg.Response](c *client, req kmsg.Request) Resp {
	c.t.Helper()
	return c.receive(req, c.send(req)).(Resp)
}

// kgo returns a franz-go client of the node.
func (n *node) kgo(t fatal, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	opts = append([]kgo.Opt{
		kgo.SeedBrokers("node-1:9092"), kgo.Dialer(n.net.Dial),
		kgo.MetadataMinAge(10 * time.Millisecond), kgo.RetryTimeout(20 * time.Second),
	}, opts...)
	client, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// batch builds an uncompressed batch of values.
func batch(t fatal, values ...string) record.Batch {
	t.Helper()
	var b record.Builder
	for i, v := range values {
		b.Append(record.Record{Timestamp: 900_000_000_000 + int64(i), Key: []byte("k"), Value: []byte(v)})
	}
	built, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(built)
}

// produceTo is a Produce of one batch to one partition.
func produceTo(version int16, acks int16, topic string, id [16]byte, partition int32, records []byte) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = version, acks, 30_000
	req.Topics = []kmsg.ProduceRequestTopic{{Topic: topic, TopicID: id, Partitions: []kmsg.ProduceRequestTopicPartition{{Partition: partition, Records: records}}}}
	return req
}

// produced is the one partition of a response.
func produced(c *client, req *kmsg.ProduceRequest) kmsg.ProduceResponseTopicPartition {
	c.t.Helper()
	return ask[*kmsg.ProduceResponse](c, req).Topics[0].Partitions[0]
}

// elapse moves the clock of a synctest bubble.
func elapse(d time.Duration) { <-time.After(d) }

// produceRound returns a Produce with acks=1 to the topic t that is served as
// the server does it, by a client of that name; fetchRound a Fetch of it.
func (n *node) produceRound(t fatal, clientID string) func() {
	n.holdFlushes()
	body := produceTo(9, 1, "t", [16]byte{}, 0, batch(t, "value")).AppendTo(nil)
	frame := slices.Clone(body)
	return n.round(t, wire.Header{Key: 0, Version: 9, ClientID: clientID}, func() []byte {
		copy(frame, body)
		return frame
	})
}

func (n *node) fetchRound(t fatal, clientID string) func() {
	body := fetchFrom(11, "t", [16]byte{}, 0).AppendTo(nil)
	return n.round(t, wire.Header{Key: 1, Version: 11, ClientID: clientID}, func() []byte { return body })
}

func (n *node) round(t fatal, h wire.Header, body func() []byte) func() {
	waker, _ := server.NewWaker()
	req, out := server.Request{Waker: waker, Mute: &server.Mute{}, Context: context.Background()}, server.NewOut()
	return func() {
		req.Header, req.Body, req.Received = h, body(), time.Now()
		reply, err := n.Broker.Serve(&req)
		if err != nil {
			t.Fatal(err)
		}
		out.Reset()
		if err := reply.Encode(out); err != nil {
			t.Fatal(err)
		}
		reply.Release()
	}
}
