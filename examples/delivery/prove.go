package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	records  = 100
	dieAfter = 45 // in the middle of the fifth batch
)

// count is what came of the input.
type count struct{ in, out, lost, twice int }

// prove runs a worker, kills it in the middle, lets another one finish, and
// counts what they have done.
func prove(ctx context.Context, brokers []string, m mode) (count, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return count{}, err
	}
	defer client.Close()
	run := "example-delivery-" + strings.ToLower(rand.Text()[:8])
	w := worker{brokers: brokers, mode: m, in: run + "-in", out: run + "-out", group: run}
	admin := kadm.NewClient(client)
	if _, err := admin.CreateTopics(ctx, 1, -1, nil, w.in, w.out); err != nil {
		return count{}, err
	}
	defer cleanUp(ctx, admin, w)
	if err := fill(ctx, client, w.in); err != nil {
		return count{}, err
	}
	if err := killed(ctx, w); err != nil {
		return count{}, fmt.Errorf("the worker that is killed: %w", err)
	}
	if out, err := process(ctx, w, 0).CombinedOutput(); err != nil {
		return count{}, fmt.Errorf("the worker after it: %w: %s", err, out)
	}
	return tally(ctx, client, w.out)
}

// fill writes the numbers that are to be copied.
func fill(ctx context.Context, client *kgo.Client, topic string) error {
	for i := range records {
		r := &kgo.Record{Topic: topic, Value: fmt.Append(nil, i)}
		if err := client.ProduceSync(ctx, r).FirstErr(); err != nil {
			return err
		}
	}
	return nil
}

// process is a worker as a process of its own: this program once more.
func process(ctx context.Context, w worker, dieAfter int) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	return exec.CommandContext(ctx, self, workerCommand, "--bootstrap", strings.Join(w.brokers, ","), "--mode", string(w.mode),
		"--in", w.in, "--out", w.out, "--group", w.group, "--die-after", fmt.Sprint(dieAfter))
}

// killed runs a worker until it is in the middle of a batch, and kills it with
// -9: nothing of it runs any more.
func killed(ctx context.Context, w worker) error {
	p := process(ctx, w, dieAfter)
	var said strings.Builder
	p.Stderr = &said
	out, err := p.StdoutPipe()
	if err != nil {
		return err
	}
	if err := p.Start(); err != nil {
		return err
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	killErr := p.Process.Kill()
	_ = p.Wait() // that it was killed is no news
	if line == "" {
		return fmt.Errorf("it ended too early: %s", said.String())
	}
	return killErr
}

// tally counts how often each number stands in the output.
func tally(ctx context.Context, client *kgo.Client, topic string) (count, error) {
	// A record of our own marks where to stop: offsets alone do not tell, since
	// the ends of transactions have some too.
	if err := client.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("stop")}).FirstErr(); err != nil {
		return count{}, err
	}
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}})
	times := map[string]int{}
	for times["stop"] == 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return count{}, err
		}
		fetches.EachRecord(func(r *kgo.Record) { times[string(r.Value)]++ })
	}
	c := count{in: records}
	for i := range records {
		n := times[fmt.Sprint(i)]
		c.out += n
		switch {
		case n == 0:
			c.lost++
		case n > 1:
			c.twice++
		}
	}
	return c, nil
}

// cleanUp leaves nothing of a run behind.
func cleanUp(ctx context.Context, admin *kadm.Client, w worker) {
	ctx = context.WithoutCancel(ctx)
	_, _ = admin.DeleteTopics(ctx, w.in, w.out) // what cannot be removed has a name that says whose it is
	_, _ = admin.DeleteGroups(ctx, w.group)
}
