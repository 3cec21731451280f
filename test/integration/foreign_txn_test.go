//go:build integration

package integration

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/test/kafka"
)

// millrace txn tells and ends what stands open on a real Apache Kafka.
func TestTxnOnApacheKafka(t *testing.T) {
	b := kafka.Start(t)
	client := func(opts ...kgo.Opt) *kgo.Client {
		c, err := b.Cluster().Client(append(opts, kgo.DefaultProduceTopic("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	admin := kadm.NewClient(client())
	if _, err := admin.CreateTopic(t.Context(), 1, 1, nil, "orders"); err != nil {
		t.Fatal(err)
	}
	writer := client(kgo.TransactionalID("left-open"))
	if err := writer.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*kgo.Client{writer, client()} {
		if err := c.ProduceSync(t.Context(), kgo.StringRecord("v")).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	millrace := func(args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), binary(t), append(args, "--bootstrap", b.Bootstrap)...).CombinedOutput()
		t.Logf("millrace %s\n%s", strings.Join(args, " "), out)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	if out := millrace("txn", "list", "--state", "Ongoing", "-o", "name"); strings.TrimSpace(out) != "left-open" {
		t.Errorf("listed: %s", out)
	}
	var d struct {
		State      string
		Partitions []struct{ Topic string }
	}
	if err := json.Unmarshal([]byte(millrace("txn", "describe", "left-open", "-o", "json")), &d); err != nil {
		t.Fatal(err)
	}
	if d.State != "Ongoing" || len(d.Partitions) != 1 || d.Partitions[0].Topic != "orders" {
		t.Errorf("described: %+v", d)
	}
	if out := millrace("txn", "find-hanging", "--max-age", "1ms", "-o", "name"); strings.TrimSpace(out) != "" {
		t.Errorf("a transaction that its coordinator has is said to hang: %s", out)
	}
	if out := millrace("consume", "orders", "--read-committed"); out != "" {
		t.Errorf("committed before the abort: %q", out)
	}
	millrace("txn", "abort", "--topic", "orders", "--partition", "0", "--start-offset", "0", "--force", "--yes")
	if out := millrace("consume", "orders", "--read-committed"); out != "v\n" {
		t.Errorf("committed after the abort: %q, want the one record that is in no transaction", out)
	}
}
