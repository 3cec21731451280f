package main

import (
	"io"
	"log" //nolint:depguard // the logger that goka takes
	"os"
	"strings"
	"testing"

	"github.com/lovoo/goka"

	"github.com/millrace-io/millrace/broker/brokertest"
)

func TestMain(m *testing.M) {
	goka.SetSaramaLogger(log.New(io.Discard, "", 0))
	os.Exit(m.Run())
}

// goka's defaults work, and a second run goes on from the table that the first
// left, in the cluster and on disk.
func TestCountsAndGoesOn(t *testing.T) {
	brokers, dir := brokertest.Start(t).Addrs(), t.TempDir()
	for _, want := range []string{"ann  3\nbob  2\ncy   1\n", "ann  6\nbob  4\ncy   2\n"} {
		var out strings.Builder
		if err := run(t.Context(), brokers, dir, &out); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("printed %q, want %q", out.String(), want)
		}
	}
}
