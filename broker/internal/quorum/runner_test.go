package quorum

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/internal/vfs"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running starts a runner; stop ends it and returns what Run returned.
func running(t testing.TB, f vfs.FS, publisher *metadata.Publisher) (r *Runner, stop func() error) {
	t.Helper()
	n, err := Open(config(f), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	r = NewRunner(n, publisher)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	return r, func() error {
		cancel()
		return <-ended
	}
}

// put sets a config and returns the value that it replaces.
func put(ctx context.Context, r *Runner, name, to string) (string, error) {
	return Propose(ctx, r, func(i *metadata.Image) ([]metadata.Record, string) {
		return set(name, to)(i), value(i, name)
	})
}

// An answer leaves after the subscribers have seen the change, and decisions
// come one after the other, each knowing the last.
func TestRunnerAnswersAfterPublishing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p metadata.Publisher
		var seen []uint64
		p.Subscribe(func(_ *metadata.Delta, i *metadata.Image) { seen = append(seen, i.Index()) })
		r, stop := running(t, vfs.NewMem(), &p)
		<-r.Active()
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				if _, err := put(t.Context(), r, "counter", fmt.Sprint(i)); err != nil {
					t.Error(err)
				}
				if got := p.Image().Index(); got < 3 {
					t.Errorf("answered at index %d", got)
				}
			})
		}
		wg.Wait()
		if old, err := put(t.Context(), r, "counter", "last"); err != nil || old == "" {
			t.Errorf("replaced %q, %v", old, err)
		}
		if got := value(p.Image(), "counter"); got != "last" {
			t.Errorf("published %q", got)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		for i, index := range seen[1:] {
			if index != seen[i]+1 {
				t.Errorf("published %d after %d", index, seen[i])
			}
		}
	})
}

// After a start subscribers get the whole state as one change: no topic that
// was deleted before comes up again.
func TestStartPublishesTheStateOnce(t *testing.T) {
	mem := vfs.NewMem()
	var before metadata.Publisher
	r, stop := running(t, mem, &before)
	for _, records := range [][]metadata.Record{
		{&metadata.NewTopic{Name: "gone", ID: metadata.UUID{1}}},
		{&metadata.NewTopic{Name: "kept", ID: metadata.UUID{2}}},
		{&metadata.RemoveTopic{ID: metadata.UUID{1}}},
	} {
		if _, err := Propose(t.Context(), r, func(*metadata.Image) ([]metadata.Record, int) { return records, 0 }); err != nil {
			t.Fatal(err)
		}
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	var after metadata.Publisher
	var created []string
	after.Subscribe(func(d *metadata.Delta, _ *metadata.Image) {
		for _, c := range d.Topics() {
			created = append(created, c.Topic.Name)
		}
	})
	r, stop = running(t, mem, &after)
	<-r.Active()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if len(created) != 1 || created[0] != "kept" {
		t.Errorf("subscribers saw the topics %v", created)
	}
}

// Who waits is let go when the runner stops, and told why.
func TestRunnerStops(t *testing.T) {
	fault := vfs.NewFault(vfs.NewMem())
	var p metadata.Publisher
	r, stop := running(t, fault, &p)
	<-r.Active()
	if _, err := put(t.Context(), r, "a", "1"); err != nil {
		t.Fatal(err)
	}
	fault.Add(vfs.Rule{Op: vfs.OpSync})
	if _, err := put(t.Context(), r, "b", "1"); !errors.Is(err, ErrStopped) {
		t.Errorf("a proposal that could not be synced: %v", err)
	}
	if _, err := put(t.Context(), r, "c", "1"); !errors.Is(err, ErrStopped) {
		t.Errorf("a proposal after the end: %v", err)
	}
	if err := stop(); err == nil {
		t.Error("Run hides that a sync failed")
	}
	if value(p.Image(), "b") != "" {
		t.Error("what was not synced was published")
	}
}

func TestProposeGivesUpWithItsContext(t *testing.T) {
	n, err := Open(config(vfs.NewMem()), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	r := NewRunner(n, &metadata.Publisher{}) // Run is not called, so nothing is ever answered.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := put(ctx, r, "a", "1"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// From nothing to the active controller, on the real filesystem.
func BenchmarkFirstStart(b *testing.B) {
	for b.Loop() {
		cfg := config(vfs.OS{})
		cfg.Dir = b.TempDir() + "/__cluster_metadata-0"
		n := start(b, cfg)
		if err := n.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPropose(b *testing.B) {
	cfg := config(vfs.OS{})
	cfg.Dir = b.TempDir() + "/__cluster_metadata-0"
	n, err := Open(cfg, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	r := NewRunner(n, &metadata.Publisher{})
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	for b.Loop() {
		if _, err := put(ctx, r, "a", "1"); err != nil {
			b.Fatal(err)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}
