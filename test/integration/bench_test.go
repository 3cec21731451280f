//go:build integration

package integration

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/test/kafka"
)

// The suite of millrace bench runs on a real process beside a real Apache
// Kafka. Timings fail nothing. BENCH are the flags of a longer run; without
// them it is a short one, which shows that every workload works on both.
func TestSuiteBesideApacheKafka(t *testing.T) {
	flags := os.Getenv("BENCH")
	if flags == "" {
		flags = "--runs 1 --bytes 4000000 --time 200ms"
	}
	ours, theirs := start(t, t.TempDir(), "0"), kafka.Start(t)
	args := append([]string{"bench", "suite", "--bootstrap", ours.Kafka, "--against", theirs.Bootstrap, "--dir", t.TempDir(), "-o", "wide"}, strings.Fields(flags)...)
	cmd := exec.CommandContext(t.Context(), binary(t), args...)
	var progress strings.Builder
	cmd.Stderr = &progress
	out, err := cmd.Output()
	t.Logf("millrace %s\n%s", strings.Join(args, " "), out)
	if err != nil {
		t.Fatalf("%v\n%s", err, progress.String())
	}
	if os.Getenv("BENCH") == "" && !strings.Contains(string(out), "against fsync") {
		t.Error("Apache Kafka was not measured")
	}
}
