//go:build integration

package integration

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/millrace-io/millrace/test/kafka"
)

// The examples for who comes from Kafka do on Apache Kafka what they do on
// Millrace.
func TestExamplesOnApacheKafka(t *testing.T) {
	b := kafka.Start(t)
	for _, example := range []struct {
		name string
		args []string
		want string
	}{
		{"producer", nil, `(?s)vip-cy +40 cakes +to example-orders, partition 3, offset 0.*vip-eve +a table +to example-orders, partition 3, offset 1`},
		{"consumer", []string{"-n", "6"}, `partition 3, offset 1: vip-eve a table`},
		{"consumer", []string{"-n", "6", "--seek", "start"}, `partition 3, offset 0: vip-cy 40 cakes`},
		{"delivery", nil, `at most once +100 in, +95 out: +5 lost, 0 twice\nat least once +100 in, +105 out: +0 lost, 5 twice\nexactly once +100 in, +100 out: +0 lost, 0 twice\n`},
	} {
		path := filepath.Join(t.TempDir(), example.name)
		if out, err := exec.Command("go", "build", "-o", path, "../../examples/"+example.name).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		out, err := exec.CommandContext(t.Context(), path, append([]string{"--bootstrap", b.Bootstrap}, example.args...)...).CombinedOutput()
		if err != nil || !regexp.MustCompile(example.want).Match(out) {
			t.Errorf("%s %v: %v, expected %s:\n%s", example.name, example.args, err, example.want, out)
		}
	}
}
