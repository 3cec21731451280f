//go:build integration

package integration

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/millrace-io/millrace/test/kafka"
)

// The whole demo runs on a real Apache Kafka and leaves nothing behind there.
func TestDemoOnApacheKafka(t *testing.T) {
	b := kafka.Start(t)
	cmd := exec.CommandContext(t.Context(), "../../bin/weblog-demo", "-input", "../../examples/weblog/access.log.gz", "-bootstrap", b.Bootstrap)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
	if want := "demo: 10000 lines in, 9999 counted, 1 dead-lettered, 9999 mirrored: ok"; !strings.Contains(string(out), want) {
		t.Errorf("no line %q", want)
	}
	client, err := b.Cluster().Client()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	topics, err := admin.ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if names := topics.Names(); len(names) != 0 {
		t.Errorf("topics are left behind: %v", names)
	}
	groups, err := admin.ListGroups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if names := groups.Groups(); len(names) != 0 {
		t.Errorf("groups are left behind: %v", names)
	}
}
