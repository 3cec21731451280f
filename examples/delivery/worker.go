package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// mode is a guarantee of delivery: it is made by the order of two steps, or by
// taking them as one.
type mode string

const (
	// The commit comes before the work: who dies between them never does it.
	atMostOnce mode = "at most once"
	// The commit comes after the work: who dies between them does it again.
	atLeastOnce mode = "at least once"
	// Work and commit are one transaction. It takes that the work is a write to
	// Kafka, and that whoever reads it reads committed records only.
	exactlyOnce mode = "exactly once"
)

var modes = []mode{atMostOnce, atLeastOnce, exactlyOnce}

const (
	workerCommand = "worker"
	batch         = 10 // records between two commits
)

// worker copies records from one topic to another; a copy is its work.
type worker struct {
	brokers  []string
	mode     mode
	in, out  string
	group    string
	dieAfter int // records after which it stops and waits to be killed; 0 for never
	ready    io.Writer
}

// workerMain is the process that is killed.
func workerMain(ctx context.Context, args []string) error {
	w := worker{ready: os.Stdout}
	var brokers, m string
	f := flag.NewFlagSet(workerCommand, flag.ContinueOnError)
	f.StringVar(&brokers, "bootstrap", "", "")
	f.StringVar(&m, "mode", "", "")
	f.StringVar(&w.in, "in", "", "")
	f.StringVar(&w.out, "out", "", "")
	f.StringVar(&w.group, "group", "", "")
	f.IntVar(&w.dieAfter, "die-after", 0, "")
	if err := f.Parse(args); err != nil {
		return err
	}
	w.brokers, w.mode = strings.Split(brokers, ","), mode(m)
	if w.mode == exactlyOnce {
		return w.transact(ctx)
	}
	return w.run(ctx)
}

func (w worker) options() []kgo.Opt {
	return []kgo.Opt{
		kgo.SeedBrokers(w.brokers...),
		kgo.ConsumeTopics(w.in), kgo.ConsumerGroup(w.group), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		// Who comes under the name of one that died takes its place at once,
		// instead of after its session timeout (KIP-345).
		kgo.InstanceID("worker"),
		kgo.DefaultProduceTopic(w.out),
	}
}

// run works at most or at least once, to the end of the input.
func (w worker) run(ctx context.Context) error {
	client, err := kgo.NewClient(append(w.options(), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll())...)
	if err != nil {
		return err
	}
	defer client.CloseAllowingRebalance()
	left, err := w.left(ctx, client)
	for left > 0 && err == nil {
		fetches := client.PollRecords(ctx, batch)
		if err := fetches.Err(); err != nil {
			return err
		}
		records := fetches.Records()
		if w.mode == atMostOnce {
			err = errors.Join(client.CommitRecords(ctx, records...), w.work(ctx, client, records))
		} else {
			err = errors.Join(w.work(ctx, client, records), client.CommitRecords(ctx, records...))
		}
		client.AllowRebalance()
		left -= int64(len(records))
		w.dieAfter -= len(records)
	}
	return err
}

// transact works exactly once: the copies and the offset that says they are
// made become visible together or not at all. What a worker left unfinished is
// aborted when the next one with its transactional id begins.
func (w worker) transact(ctx context.Context) error {
	session, err := kgo.NewGroupTransactSession(append(w.options(),
		kgo.TransactionalID(w.group), kgo.TransactionTimeout(30*time.Second),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
	)...)
	if err != nil {
		return err
	}
	defer session.Close()
	left, err := w.left(ctx, session.Client())
	for left > 0 && err == nil {
		fetches := session.PollRecords(ctx, batch)
		if err := fetches.Err(); err != nil {
			return err
		}
		records := fetches.Records()
		if err := session.Begin(); err != nil {
			return err
		}
		if err := w.work(ctx, session.Client(), records); err != nil {
			return err
		}
		committed, err := session.End(ctx, kgo.TryCommit)
		if err != nil {
			return err
		}
		if committed { // else the group was rebalanced, and the records come again
			left -= int64(len(records))
			w.dieAfter -= len(records)
		}
	}
	return err
}

// work copies records. In the middle of its last batch a worker that is to die
// says so and does nothing any more.
func (w worker) work(ctx context.Context, client *kgo.Client, records []*kgo.Record) error {
	for i, r := range records {
		if w.dieAfter > 0 && i == w.dieAfter {
			fmt.Fprintln(w.ready, "in the middle")
			<-ctx.Done()
			return ctx.Err()
		}
		if err := client.ProduceSync(ctx, &kgo.Record{Key: r.Key, Value: r.Value}).FirstErr(); err != nil {
			return err
		}
	}
	return nil
}

// left is how much of the input the group has not committed.
func (w worker) left(ctx context.Context, client *kgo.Client) (int64, error) {
	admin := kadm.NewClient(client)
	ends, err := admin.ListEndOffsets(ctx, w.in)
	if err != nil {
		return 0, err
	}
	committed, err := admin.FetchOffsets(ctx, w.group)
	if err != nil {
		return 0, err
	}
	end, _ := ends.Lookup(w.in, 0)
	at, _ := committed.Lookup(w.in, 0)
	return end.Offset - max(at.At, 0), nil
}
