package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/internal/proc"
)

// Target is a server that loads are put on.
type Target struct {
	// Name is what results call it.
	Name string
	// Profile says how to reach it.
	Profile cluster.Profile
	// PID is its process, for CPU time and memory; 0 where nothing can be
	// known of it.
	PID int

	client *kgo.Client
	admin  *kadm.Client
}

// Connect makes a target of a cluster and asks whether it answers. Without a
// pid the process is looked for by its port, which only finds it on this
// machine.
func Connect(ctx context.Context, name string, profile cluster.Profile, pid int) (*Target, error) {
	client, err := profile.Client(kgo.RetryTimeout(answerTimeout))
	if err != nil {
		return nil, err
	}
	t := &Target{Name: name, Profile: profile, PID: pid, client: client, admin: kadm.NewClient(client)}
	t.admin.SetTimeoutMillis(int32(topicTimeout.Milliseconds()))
	waiting, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	if _, err := t.admin.BrokerMetadata(waiting); err != nil {
		client.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if pid == 0 {
		t.PID = local(profile.Bootstrap[0])
	}
	return t, nil
}

const (
	answerTimeout = 10 * time.Second
	topicTimeout  = time.Minute // a thousand partitions take their time
)

// local finds the process that serves an address of this machine.
func local(address string) int {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return 0
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return 0
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return 0
	}
	p, _ := proc.Listener(number)
	return p.PID
}

// Close ends the connections.
func (t *Target) Close() { t.client.Close() }

// Durability is what an ack of acks=all promises, in the terms of each server.
type Durability string

const (
	// Default leaves it to the server: fsync on Millrace, pagecache on Apache
	// Kafka.
	Default Durability = "default"
	// Fsync acks what is on disk: durability=fsync, or flush.messages=1 where
	// that is unknown.
	Fsync Durability = "fsync"
	// PageCache acks what the kernel has: durability=pagecache, which is all
	// that other servers do.
	PageCache Durability = "pagecache"
)

// Durabilities are the values that a Durability may have.
func Durabilities() []string { return []string{string(Default), string(Fsync), string(PageCache)} }

// configs are tried one after the other: a server refuses what it does not
// know.
func (d Durability) configs() []map[string]string {
	switch d {
	case Fsync:
		return []map[string]string{{"durability": "fsync"}, {"flush.messages": "1"}}
	case PageCache:
		return []map[string]string{{"durability": "pagecache"}, nil}
	default:
		return []map[string]string{nil}
	}
}

// topic is a topic of one run.
type topic struct {
	name       string
	partitions int
	address    string // of the broker that leads all of it
}

// create makes a topic of its own for a run.
func (t *Target) create(ctx context.Context, partitions int, d Durability) (topic, error) {
	made := topic{name: "bench-" + rand.Text()[:12], partitions: partitions}
	var err error
	for _, configs := range d.configs() {
		values := map[string]*string{}
		for k, v := range configs {
			values[k] = &v
		}
		if _, err = t.admin.CreateTopic(ctx, int32(partitions), -1, values, made.name); !errors.Is(err, kerr.InvalidConfig) {
			break
		}
	}
	if err != nil {
		return topic{}, fmt.Errorf("%s: create topic %s: %w", t.Name, made.name, err)
	}
	made.address, err = t.leader(ctx, made)
	return made, err
}

// leader waits until the topic is led and returns the address of its leader.
func (t *Target) leader(ctx context.Context, made topic) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, topicTimeout)
	defer cancel()
	for {
		meta, err := t.admin.Metadata(ctx, made.name)
		if err != nil {
			return "", fmt.Errorf("%s: leaders of %s: %w", t.Name, made.name, err)
		}
		if address, ok := ledBy(meta, made); ok && t.serves(ctx, made) {
			return address, nil
		}
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return "", fmt.Errorf("%s: topic %s has no leader: %w", t.Name, made.name, err)
		}
	}
}

// serves reports whether the leaders know that they are: on some servers the
// metadata is ahead of them.
func (t *Target) serves(ctx context.Context, made topic) bool {
	ends, err := t.admin.ListEndOffsets(ctx, made.name)
	return err == nil && ends.Error() == nil && len(ends[made.name]) == made.partitions
}

func ledBy(meta kadm.Metadata, made topic) (string, bool) {
	detail := meta.Topics[made.name]
	if len(detail.Partitions) < made.partitions {
		return "", false
	}
	leader := int32(-1)
	for _, p := range detail.Partitions {
		if p.Err != nil || p.Leader < 0 {
			return "", false
		}
		leader = p.Leader
	}
	for _, b := range meta.Brokers {
		if b.NodeID == leader {
			return net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port))), true
		}
	}
	return "", false
}

// remove deletes a run's topic, also when the run was interrupted.
func (t *Target) remove(ctx context.Context, made topic) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), topicTimeout)
	defer cancel()
	_, _ = t.admin.DeleteTopic(ctx, made.name) // what is left behind has a name that says whose it is
}

// dial opens a bare connection to the leader of a topic.
func (t *Target) dial(ctx context.Context, address string) (net.Conn, error) {
	if t.Profile.Dial != nil {
		return t.Profile.Dial(ctx, "tcp", address)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}

// measure runs a load and notes what the server and this process have used
// meanwhile.
func (t *Target) measure(run func() (Sample, error)) (Sample, error) { return measured(t.PID, run) }

func measured(pid int, run func() (Sample, error)) (Sample, error) {
	server, known := usage(pid)
	client, _ := usage(os.Getpid())
	began := time.Now()
	s, err := run()
	if err != nil {
		return Sample{}, err
	}
	if s.Wall == 0 {
		s.Wall = time.Since(began)
	}
	if after, ok := usage(pid); ok && known {
		s.CPU, s.Resident = after.CPU-server.CPU, after.Resident
	}
	after, _ := usage(os.Getpid())
	s.ClientCPU = after.CPU - client.CPU
	return s, nil
}

func usage(pid int) (proc.Usage, bool) {
	if pid == 0 {
		return proc.Usage{}, false
	}
	u, err := proc.Of(pid)
	return u, err == nil
}

// sleep waits, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
