package brokertest_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/brokertest"
)

// eachProtocol runs a row with members of the classic protocol and with members
// of the consumer protocol (KIP-848), in virtual time.
func eachProtocol(t *testing.T, row func(t *testing.T, b *brokertest.Cluster, protocol []kgo.Opt)) {
	for name, protocol := range map[string][]kgo.Opt{
		"classic":  {kgo.Balancers(kgo.CooperativeStickyBalancer())},
		"consumer": {kgo.Balancers(kgo.StickyBalancer()), kgo.ServerSideBalancer()},
	} {
		t.Run(name, func(t *testing.T) {
			brokertest.Virtual(t, func(t *testing.T, b *brokertest.Cluster) { row(t, b, protocol) })
		})
	}
}

// A mortal is a client in a process that can be killed: its connections are cut
// and no new one comes about.
type mortal struct {
	*kgo.Client
	mu    sync.Mutex
	dead  bool
	conns []net.Conn
}

func newMortal(b *brokertest.Cluster, opts ...kgo.Opt) *mortal {
	m := &mortal{}
	dial := b.Cluster().Dial
	m.Client = b.Kgo(append(opts, kgo.Dialer(func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		m.mu.Lock()
		defer m.mu.Unlock()
		if err == nil && m.dead {
			_ = conn.Close()
			err = net.ErrClosed
		}
		if err != nil {
			return nil, err
		}
		m.conns = append(m.conns, conn)
		return conn, nil
	}))...)
	return m
}

func (m *mortal) kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = true
	for _, conn := range m.conns {
		_ = conn.Close()
	}
}

// owners knows which member of a group has which partition, by what the clients
// are told. A second owner of a partition fails the test at once.
type owners struct {
	t  *testing.T
	mu sync.Mutex
	by map[string]string
}

func newOwners(t *testing.T) *owners { return &owners{t: t, by: map[string]string{}} }

// member makes a client of group g that reports here, and keeps polling.
func (o *owners) member(b *brokertest.Cluster, name string, opts ...kgo.Opt) *mortal {
	opts = append([]kgo.Opt{kgo.MetadataMaxAge(10 * time.Second), kgo.MetadataMinAge(time.Second)}, opts...)
	opts = append(opts, kgo.ConsumerGroup("g"), kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, add map[string][]int32) { o.assigned(name, add) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, gone map[string][]int32) { o.revoked(name, gone) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, gone map[string][]int32) { o.revoked(name, gone) }))
	return newMortal(b, opts...)
}

func (o *owners) assigned(name string, add map[string][]int32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, tp := range flat(add) {
		if other := o.by[tp]; other != "" && other != name {
			o.t.Errorf("%s is given to %s while %s has it", tp, name, other)
		}
		o.by[tp] = name
	}
}

func (o *owners) revoked(name string, gone map[string][]int32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, tp := range flat(gone) {
		if o.by[tp] == name {
			delete(o.by, tp)
		}
	}
}

// killed forgets what a member had: it reads nothing more.
func (o *owners) killed(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for tp, owner := range o.by {
		if owner == name {
			delete(o.by, tp)
		}
	}
}

// counts are the numbers of partitions that members have, ascending.
func (o *owners) counts() []int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := map[string]int{}
	for _, owner := range o.by {
		n[owner]++
	}
	var list []int
	for _, count := range n {
		list = append(list, count)
	}
	slices.Sort(list)
	return list
}

func (o *owners) await(within time.Duration, want ...int) {
	o.t.Helper()
	await(o.t, within, fmt.Sprintf("partitions by member %v", want), func() bool { return slices.Equal(o.counts(), want) })
}

func await(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("no %s within %v", what, within)
		}
		<-time.After(50 * time.Millisecond)
	}
}

func flat(partitions map[string][]int32) (list []string) {
	for topic, of := range partitions {
		for _, p := range of {
			list = append(list, fmt.Sprintf("%s-%d", topic, p))
		}
	}
	return list
}

// Each partition has one member of a group; more members than partitions idle.
func seedGroupOneOwner(t *testing.T) {
	eachProtocol(t, func(t *testing.T, b *brokertest.Cluster, protocol []kgo.Opt) {
		b.CreateTopic("t", 4, nil)
		o := newOwners(t)
		opts := append(protocol, kgo.ConsumeTopics("t"))
		for i := range 3 {
			o.member(b, fmt.Sprint("m", i), opts...)
		}
		o.await(time.Minute, 1, 1, 2)
		for i := range 3 {
			o.member(b, fmt.Sprint("more", i), opts...)
		}
		o.await(time.Minute, 1, 1, 1, 1)
	})
}

// Commits live in __consumer_offsets and survive a restart of broker and
// consumer.
func seedCommits(t *testing.T) {
	dir := t.TempDir()
	opts := []kgo.Opt{kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())}
	first := brokertest.Start(t, brokertest.Dir(dir), brokertest.Topic("t", 1))
	first.Produce("t", "", "0", "", "1", "", "2")
	client := first.Kgo(opts...)
	fetches := client.PollRecords(t.Context(), 2)
	if err := client.CommitRecords(t.Context(), fetches.Records()...); err != nil {
		t.Fatal(err)
	}
	client.Close()
	first.Close()

	second := brokertest.Start(t, brokertest.Dir(dir))
	next := second.Kgo(opts...).PollFetches(t.Context())
	if err := next.Err(); err != nil {
		t.Fatal(err)
	}
	if r := next.Records()[0]; string(r.Value) != strconv.Itoa(len(fetches.Records())) {
		t.Errorf("after the restart the group goes on at %q, and had committed %d records", r.Value, len(fetches.Records()))
	}
	log := second.Kgo(kgo.ConsumeTopics("__consumer_offsets"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())).PollFetches(t.Context())
	var key kmsg.OffsetCommitKey
	if !slices.ContainsFunc(log.Records(), func(r *kgo.Record) bool { return key.ReadFrom(r.Key) == nil && key.Group == "g" && key.Topic == "t" }) {
		t.Error("no commit of the group in __consumer_offsets")
	}
}

// ticker produces a record a second, numbered from 0, until n are there.
func ticker(t *testing.T, b *brokertest.Cluster, n int) {
	producer := b.Kgo()
	for i := range n {
		if err := producer.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte(strconv.Itoa(i))}).FirstErr(); err != nil {
			t.Error(err)
		}
		<-time.After(time.Second)
	}
}

// values polls once and returns the numbers that came.
func values(ctx context.Context, t *testing.T, client *kgo.Client, limit int) (list []int) {
	t.Helper()
	fetches := client.PollRecords(ctx, limit)
	if err := fetches.Err(); err != nil {
		t.Fatal(err)
	}
	fetches.EachRecord(func(r *kgo.Record) {
		n, _ := strconv.Atoi(string(r.Value))
		list = append(list, n)
	})
	return list
}

// A client commits every five seconds by itself: after a crash it reads again
// at most what came since, and loses nothing.
func seedAutoCommit(t *testing.T) {
	eachProtocol(t, func(t *testing.T, b *brokertest.Cluster, protocol []kgo.Opt) {
		b.CreateTopic("t", 1, nil)
		opts := append(protocol, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		first := newMortal(b, opts...)
		var producing sync.WaitGroup
		producing.Go(func() { ticker(t, b, 40) })
		last := -1
		for last < 28 {
			for _, n := range values(t.Context(), t, first.Client, 0) {
				last = n
			}
		}
		first.kill()
		producing.Wait()
		// A client that commits by itself holds a mutex while it joins, over
		// which virtual time does not pass.
		begin := values(t.Context(), t, b.Kgo(append(opts, kgo.DisableAutoCommit())...), 0)[0]
		if begin > last+1 {
			t.Errorf("records %d to %d are lost", last+1, begin-1)
		}
		if again := last - begin + 1; again > 7 || again < 1 {
			t.Errorf("%d records are read again, want those of about five seconds", again)
		}
	})
}

// delivery reads thirty records in batches of ten and is killed in the second
// batch, between its commit and its work, in whichever order they stand. It
// returns how often each record was worked on.
func delivery(t *testing.T, b *brokertest.Cluster, protocol []kgo.Opt, commitFirst bool) map[int]int {
	b.CreateTopic("t", 1, nil)
	producer := b.Kgo()
	for i := range 30 {
		producer.Produce(t.Context(), &kgo.Record{Topic: "t", Value: []byte(strconv.Itoa(i))}, nil)
	}
	if err := producer.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	worked := map[int]int{}
	opts := append(protocol, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	life := func(killAt int) (done bool) {
		client := newMortal(b, opts...)
		for batch := 0; ; batch++ {
			list := values(t.Context(), t, client.Client, 10)
			work := func() {
				for _, n := range list {
					worked[n]++
					done = done || n == 29
				}
			}
			if !commitFirst {
				work()
			}
			if batch == killAt && !commitFirst {
				client.kill()
				return false
			}
			if err := client.CommitUncommittedOffsets(t.Context()); err != nil {
				t.Fatal(err)
			}
			if batch == killAt {
				client.kill()
				return false
			}
			if commitFirst {
				work()
			}
			if done {
				return true
			}
		}
	}
	life(1)
	if !life(-1) {
		t.Error("the end was not reached")
	}
	return worked
}

// The commit before the work: nothing is worked on twice.
func seedAtMostOnce(t *testing.T) {
	eachProtocol(t, func(t *testing.T, b *brokertest.Cluster, protocol []kgo.Opt) {
		worked := delivery(t, b, protocol, true)
		for n, times := range worked {
			if times > 1 {
				t.Errorf("record %d was worked on %d times", n, times)
			}
		}
		if len(worked) == 30 {
			t.Error("nothing was lost: the crash did not come between commit and work")
		}
	})
}

// The work before the commit: nothing is lost.
func seedAtLeastOnce(t *testing.T) {
	eachProtocol(t, func(t *testing.T, b *brokertest.Cluster, protocol []kgo.Opt) {
		worked := delivery(t, b, protocol, false)
		twice := 0
		for n := range 30 {
			if worked[n] == 0 {
				t.Errorf("record %d is lost", n)
			}
			if worked[n] > 1 {
				twice++
			}
		}
		if twice == 0 {
			t.Error("nothing was done twice: the crash did not come between work and commit")
		}
	})
}

// A member that stops its heartbeats loses its partitions, and its late commit
// is refused.
func seedHeartbeatSession(t *testing.T) {
	eachProtocol(t, func(t *testing.T, b *brokertest.Cluster, protocol []kgo.Opt) {
		b.CreateTopic("t", 2, nil)
		o := newOwners(t)
		opts := append(protocol, kgo.ConsumeTopics("t"))
		first := o.member(b, "first", opts...)
		o.await(time.Minute, 2)
		member, generation := first.GroupMetadata()
		first.kill()
		o.killed("first")
		o.member(b, "second", opts...)
		o.await(3*time.Minute, 2)

		req := kmsg.NewPtrOffsetCommitRequest()
		req.Group, req.MemberID, req.Generation = "g", member, generation
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Offset = 1
		topic := kmsg.NewOffsetCommitRequestTopic()
		topic.Topic, topic.TopicID = "t", topicID(t, b, "t")
		topic.Partitions = append(topic.Partitions, p)
		req.Topics = append(req.Topics, topic)
		resp, err := req.RequestWith(t.Context(), b.Kgo())
		if err != nil {
			t.Fatal(err)
		}
		if code := resp.Topics[0].Partitions[0].ErrorCode; code != kerr.UnknownMemberID.Code {
			t.Errorf("the late commit: code %d, want %v", code, kerr.UnknownMemberID)
		}
	})
}

func topicID(t *testing.T, b *brokertest.Cluster, name string) [16]byte {
	t.Helper()
	req := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = &name
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(t.Context(), b.Kgo())
	if err != nil {
		t.Fatal(err)
	}
	return resp.Topics[0].TopicID
}
