package cluster_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/broker/brokertest"
	"github.com/millrace-io/millrace/cluster"
)

// values reads a range and joins what the records hold.
func values(t *testing.T, r *cluster.Reader, from, to int64) string {
	t.Helper()
	var list []string
	if err := r.Read(t.Context(), from, to, func(r *kgo.Record) bool {
		list = append(list, string(r.Value))
		return true
	}); err != nil {
		t.Fatal(err)
	}
	return strings.Join(list, " ")
}

func TestReader(t *testing.T) {
	b := brokertest.Start(t, brokertest.Topic("t", 1))
	client := b.Kgo()
	t.Run("records", func(t *testing.T) {
		b.Produce("t", "k", "1", "k", "2", "k", "3")
		r := &cluster.Reader{Client: client, Topic: "t"}
		if got := values(t, r, 1, 3); got != "2 3" {
			t.Errorf("from 1: %s", got)
		}
		if got := values(t, r, 0, 2); got != "1 2" {
			t.Errorf("to 2: %s", got)
		}
	})
	t.Run("transactions", func(t *testing.T) {
		writer := b.Kgo(kgo.TransactionalID("tx"), kgo.DefaultProduceTopic("t"))
		for value, end := range map[string]kgo.TransactionEndTry{"aborted": kgo.TryAbort, "committed": kgo.TryCommit} {
			if err := writer.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			if err := writer.ProduceSync(t.Context(), &kgo.Record{Value: []byte(value)}).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if err := writer.EndTransaction(t.Context(), end); err != nil {
				t.Fatal(err)
			}
		}
		var end int64
		for end < 7 { // until the last marker stands
			ends, err := kadm.NewClient(client).ListCommittedOffsets(t.Context(), "t")
			if err != nil {
				t.Fatal(err)
			}
			at, _ := ends.Lookup("t", 0)
			end = at.Offset
		}
		if got := values(t, &cluster.Reader{Client: client, Topic: "t"}, 3, end); got != "committed" {
			t.Errorf("committed: %s", got)
		}
	})
	t.Run("before the start", func(t *testing.T) {
		r := &cluster.Reader{Client: client, Topic: "t"}
		if err := r.Read(t.Context(), 100, 200, nil); !errors.Is(err, kerr.OffsetOutOfRange) || !strings.Contains(err.Error(), "t-0 from offset 100 to 200") {
			t.Error(err)
		}
	})
	t.Run("patience", func(t *testing.T) {
		r := &cluster.Reader{Client: client, Topic: "t", Partition: 9, Patience: 50 * time.Millisecond}
		if err := r.Read(t.Context(), 0, 1, nil); err == nil {
			t.Error("read a partition that does not exist")
		}
	})
}
