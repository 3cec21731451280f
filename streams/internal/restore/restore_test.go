package restore_test

import (
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/streams/internal/restore"
	"github.com/millrace-io/millrace/streams/state"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}

const topic = "app-store-changelog"

// bench is a changelog and a store.
type bench struct {
	t       *testing.T
	profile cluster.Profile
	client  *kgo.Client
	admin   *kadm.Client
	dir     string
	said    strings.Builder
}

func newBench(t *testing.T) *bench {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	b := &bench{t: t, profile: cluster.Profile{Bootstrap: c.ListenAddrs()}, dir: filepath.Join(t.TempDir(), "0_0")}
	if b.client, err = b.profile.Client(kgo.RecordPartitioner(kgo.ManualPartitioner())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.client.Close)
	b.admin = kadm.NewClient(b.client)
	b.create()
	return b
}

func (b *bench) create() {
	b.t.Helper()
	if _, err := b.admin.CreateTopic(b.t.Context(), 1, 1, nil, topic); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) put(pairs ...string) {
	b.t.Helper()
	for _, r := range records(pairs) {
		if err := b.client.ProduceSync(b.t.Context(), r).FirstErr(); err != nil {
			b.t.Fatal(err)
		}
	}
}

// records makes changelog records of key=value, or of key for a tombstone.
func records(pairs []string) (out []*kgo.Record) {
	for _, p := range pairs {
		k, v, has := strings.Cut(p, "=")
		r := &kgo.Record{Topic: topic, Key: []byte(k), Timestamp: time.UnixMilli(1000)}
		if has {
			r.Value = []byte(v)
		}
		out = append(out, r)
	}
	return out
}

// transact writes the pairs in a transaction, and ends it.
func (b *bench) transact(commit kgo.TransactionEndTry, pairs ...string) {
	b.t.Helper()
	client, err := b.profile.Client(kgo.TransactionalID("tx"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		b.t.Fatal(err)
	}
	defer client.Close()
	ctx := b.t.Context()
	if err := client.BeginTransaction(); err != nil {
		b.t.Fatal(err)
	}
	if err := client.ProduceSync(ctx, records(pairs)...).FirstErr(); err != nil {
		b.t.Fatal(err)
	}
	if err := client.EndTransaction(ctx, commit); err != nil {
		b.t.Fatal(err)
	}
}

// restored restores the store, gives what is in it, and closes it.
func (b *bench) restored() (contents string, position int64, applied int) {
	b.t.Helper()
	db, err := state.Open(b.dir, "boot", state.NewCache())
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			b.t.Fatal(err)
		}
	}()
	b.said.Reset()
	r := restore.Restorer{
		Client:   b.client,
		Logger:   slog.New(slog.NewTextHandler(io.MultiWriter(&b.said, io.Discard), nil)),
		Restored: func(n int) { applied += n },
	}
	positions, err := r.Run(b.t.Context(), db, []restore.Changelog{{Store: "store", Topic: topic}})
	if err != nil {
		b.t.Fatal(err)
	}
	store, err := state.NewOverlay(db, 0).Store("store")
	if err != nil {
		b.t.Fatal(err)
	}
	var all []string
	err = store.Scan(nil, nil, func(k, v []byte, ts int64) error {
		if ts != 1000 {
			b.t.Errorf("%s has time %d, want the record's", k, ts)
		}
		all = append(all, fmt.Sprintf("%s=%s", k, v))
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.Join(all, " "), positions["store"].Offset, applied
}

func (b *bench) expect(contents string, position int64, applied int) {
	b.t.Helper()
	gotContents, gotPosition, gotApplied := b.restored()
	if diff := cmp.Diff(contents, gotContents); diff != "" {
		b.t.Errorf("store (-want +got):\n%s", diff)
	}
	if gotPosition != position || gotApplied != applied {
		b.t.Errorf("position %d after %d records, want %d after %d", gotPosition, gotApplied, position, applied)
	}
}

func TestRestoreReadsOnlyTheTail(t *testing.T) {
	b := newBench(t)
	b.expect("", 0, 0)
	b.put("a=1", "b=1", "a=2", "b", "c=")
	b.expect("a=2 c=", 5, 5)
	b.put("a=3")
	b.expect("a=3 c=", 6, 1)
	b.expect("a=3 c=", 6, 0)
}

// The last offset of a transactional changelog is a marker, and all of its
// tail may be aborted: no record ever has those offsets.
func TestRestoreEndsBehindMarkersAndAbortedRecords(t *testing.T) {
	b := newBench(t)
	b.transact(kgo.TryCommit, "a=1")
	b.expect("a=1", 2, 1)
	b.transact(kgo.TryAbort, "a=2", "b=2")
	b.expect("a=1", 5, 0)
}

func TestT7ChangelogThatTheStoreDoesNotContinue(t *testing.T) {
	for _, c := range []struct {
		name     string
		change   func(b *bench)
		contents string
		position int64
		applied  int
		reason   restore.Mismatch
	}{
		{"recreated", func(b *bench) {
			if _, err := b.admin.DeleteTopic(b.t.Context(), topic); err != nil {
				b.t.Fatal(err)
			}
			b.create()
			b.client.PurgeTopicsFromClient(topic)
			b.put("x=1", "y=1", "z=1", "z=2")
		}, "x=1 y=1 z=2", 4, 4, restore.Recreated},
		{"truncated", func(b *bench) {
			b.put("b=2", "c=2")
			offsets := kadm.Offsets{}
			offsets.AddOffset(topic, 0, 4, -1)
			if _, err := b.admin.DeleteRecords(b.t.Context(), offsets); err != nil {
				b.t.Fatal(err)
			}
		}, "c=2", 5, 1, restore.Truncated},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.put("a=1", "b=1", "c=1")
			b.expect("a=1 b=1 c=1", 3, 3)
			c.change(b)
			b.expect(c.contents, c.position, c.applied)
			if !strings.Contains(b.said.String(), string(c.reason)) {
				t.Errorf("the log does not say %q:\n%s", c.reason, b.said.String())
			}
		})
	}
}

func TestT7ChangelogShorterThanTheStore(t *testing.T) {
	b := newBench(t)
	b.put("a=1")
	b.expect("a=1", 1, 1)
	db, err := state.Open(b.dir, "boot", state.NewCache())
	if err != nil {
		t.Fatal(err)
	}
	l, err := db.Loader("store")
	if err != nil {
		t.Fatal(err)
	}
	l.Put([]byte("ahead"), []byte("1"), 1000)
	if err := l.Flush(state.Position{Offset: 9}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	b.expect("a=1", 1, 1)
	if !strings.Contains(b.said.String(), string(restore.Shorter)) {
		t.Errorf("the log does not say %q:\n%s", restore.Shorter, b.said.String())
	}
}
