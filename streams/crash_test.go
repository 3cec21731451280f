package streams_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/streams"
)

// childEnv makes the test binary run an application instead of tests. Its
// value is the child's configuration.
const childEnv = "MILLRACE_STREAMS_TEST_CHILD"

type childConfig struct {
	Bootstrap []string
	Dir       string
}

// child runs the word count until it is killed.
func child() int {
	var c childConfig
	if err := json.Unmarshal([]byte(os.Getenv(childEnv)), &c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	b := streams.NewBuilder()
	wordCount(b)
	app, err := streams.New(b, crashConfig(c))
	if err == nil {
		err = app.Run(context.Background())
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func crashConfig(c childConfig) streams.Config {
	cfg := (&kafka{}).config("wordcount", c.Dir)
	cfg.Cluster.Bootstrap = c.Bootstrap
	cfg.CommitInterval = 20 * time.Millisecond
	// The group must give up on the killed member soon: one that is killed
	// between joining and syncing would be waited for until the rebalance's
	// timeout, so there is one worker, and it is killed when it works.
	cfg.SessionTimeout = 600 * time.Millisecond
	cfg.Workers = 1
	return cfg
}

// Killed in the middle of its work, again and again, the application loses no
// record: every count is at least the number of its words. What is in the
// stores then equals what is in the changelog, which equals what a restore
// into an empty directory gives.
func TestT7KilledApplicationLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes and waits for session timeouts")
	}
	t.Parallel()
	onEach(t, testKilled)
}

func testKilled(t *testing.T, k *kafka) {
	t.Parallel()
	k.create(2, "lines", "counts")
	dir := t.TempDir()
	env, err := json.Marshal(childConfig{Bootstrap: k.profile.Bootstrap, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{}
	feed := func(n int) {
		var lines []*kgo.Record
		for i := range n {
			word := fmt.Sprint("w", i%50)
			lines = append(lines, record("lines", fmt.Sprint(i), word+" all"))
			want[word]++
			want["all"]++
		}
		k.produce(lines...)
	}
	for range 2 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+string(env))
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// It is killed while it works: results have come and more input is
		// on its way.
		before := k.size("counts")
		feed(300)
		k.until("results", func() bool { return k.size("counts") > before+100 })
		feed(300)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // which says that it was killed
	}

	read := func(dir string) map[string]int64 {
		b := streams.NewBuilder()
		table := wordCount(b)
		r := run(t, b, crashConfig(childConfig{Bootstrap: k.profile.Bootstrap, Dir: dir}))
		r.settle()
		got := map[string]int64{}
		for word := range want {
			n, ok, err := streams.Query(r.app, table.Store()).Get(word)
			if err != nil || !ok {
				t.Errorf("%s: in the store: %t, %v", word, ok, err)
			}
			got[word] = n
		}
		r.end()
		return got
	}
	stored := read(dir)
	for word, n := range want {
		if stored[word] < n {
			t.Errorf("%s: counted %d of %d", word, stored[word], n)
		}
	}
	if diff := cmp.Diff(stored, k.table("counts")); diff != "" {
		t.Errorf("results and store differ (-store +results):\n%s", diff)
	}
	if diff := cmp.Diff(stored, k.table("wordcount-word-counts-changelog")); diff != "" {
		t.Errorf("changelog and store differ (-store +changelog):\n%s", diff)
	}
	if diff := cmp.Diff(stored, read(t.TempDir())); diff != "" {
		t.Errorf("a restore into an empty directory differs (-store +restored):\n%s", diff)
	}
}

// size is how many offsets a topic has.
func (k *kafka) size(topic string) (n int64) {
	k.t.Helper()
	ends, err := k.admin.ListEndOffsets(k.t.Context(), topic)
	if err != nil {
		k.t.Fatal(err)
	}
	for _, o := range ends.Offsets().Sorted() {
		n += o.At
	}
	return n
}

// until waits for a condition.
func (k *kafka) until(what string, met func() bool) {
	k.t.Helper()
	deadline := time.After(60 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !met() {
		select {
		case <-deadline:
			k.t.Fatalf("no %s after a minute", what)
		case <-tick.C:
		}
	}
}
