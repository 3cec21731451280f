package main

import (
	"context"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kgo"
)

// client is one of the scripts' cluster.
func client(ts *testscript.TestScript, opts ...kgo.Opt) *kgo.Client {
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(strings.Split(ts.Getenv("MILLRACE_BOOTSTRAP"), ",")...))...)
	ts.Check(err)
	return c
}

func opens(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "opens ID TOPIC")
	c := client(ts, kgo.TransactionalID(args[0]), kgo.TransactionTimeout(10*time.Minute))
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ts.Check(c.BeginTransaction())
	ts.Check(c.ProduceSync(ctx, &kgo.Record{Topic: args[1], Value: []byte("open")}).FirstErr())
}

func joins(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 3, "joins NAME GROUP TOPIC")
	c := client(ts, kgo.ClientID(args[0]), kgo.ConsumerGroup(args[1]), kgo.ConsumeTopics(args[2]), kgo.ServerSideBalancer(), kgo.DisableAutoCommit())
	ts.Defer(c.Close)
}
