package replica_test

import (
	"io/fs"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/millrace-io/millrace/broker/internal/datadir"
	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/internal/vfs"
)

// node is a set on a real data directory, flushed by hand.
type node struct {
	dir *datadir.Dir
	set *replica.Set
	now time.Time
}

func openNode(t *testing.T, fsys vfs.FS) *node {
	t.Helper()
	dir, err := datadir.Open(fsys, "data", datadir.Options{NodeID: 1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	n := &node{dir: dir, now: start}
	n.set = replica.NewSet(replica.Deps{
		Broker: 1, FS: fsys, Files: dir.Files(), Disk: replica.OnDisk(dir), Now: func() time.Time { return n.now },
		ProducerExpiry: time.Hour, Logger: slog.New(slog.DiscardHandler), Parallel: 1,
	})
	return n
}

func (n *node) lead(t *testing.T, id byte, c replica.Config, epoch int32) *replica.Partition {
	t.Helper()
	a := replica.Assignment{Topic: "t", TopicID: replica.TopicID{id}, Config: c, Leadership: leads(1, epoch)}
	if err := n.set.Apply([]replica.Assignment{a}); err != nil {
		t.Fatal(err)
	}
	if err := n.dir.Flusher.Flush(); err != nil {
		t.Fatal(err)
	}
	p, _ := n.set.Partition("t", 0)
	return p
}

// close stops the node as the broker does.
func (n *node) close(t *testing.T) {
	t.Helper()
	for _, step := range []func() error{n.dir.Flusher.Flush, n.dir.Checkpoint, n.set.Close, func() error { return n.dir.Close(true) }} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDirectoryFlushesAndKeepsMarks(t *testing.T) {
	disk := vfs.NewMem()
	n := openNode(t, disk)
	p := n.lead(t, 1, replica.Config{}, 1)
	mustAppend(t, p, plain(t, 3))
	if err := n.dir.Flusher.Flush(); err != nil || p.HighWatermark() != 3 {
		t.Fatalf("high watermark %d after the flush, %v", p.HighWatermark(), err)
	}
	n.close(t)

	n = openNode(t, disk)
	found := n.dir.Partition("t", 0)
	if !found.Clean || found.RecoveryPoint != 3 || found.HighWatermark != 3 {
		t.Errorf("the next start finds %+v", found)
	}
	p = n.lead(t, 1, replica.Config{}, 2)
	if len(contents(t, p)) != 1 || p.Recovery().Scanned != 0 {
		t.Errorf("%d batches, %d bytes were scanned", len(contents(t, p)), p.Recovery().Scanned)
	}
	n.close(t)
}

// A disk that keeps working must not go offline because a topic was deleted
// while it was being flushed.
func TestTopicDeletedDuringItsFlush(t *testing.T) {
	n := openNode(t, vfs.NewMem())
	p := n.lead(t, 1, replica.Config{}, 1)
	mustAppend(t, p, plain(t, 3))
	flush, ok := n.dir.Flusher.Begin()
	if !ok {
		t.Fatal("nothing to flush")
	}
	if err := n.set.Delete(replica.TopicID{1}); err != nil {
		t.Fatal(err)
	}
	flush.End(flush.Sync())
	if err := n.dir.Flusher.Err(); err != nil {
		t.Fatalf("the directory is offline: %v", err)
	}
	p = n.lead(t, 2, replica.Config{}, 2)
	mustAppend(t, p, plain(t, 1))
	if err := n.dir.Flusher.Flush(); err != nil || p.HighWatermark() != 1 {
		t.Errorf("the new topic of that name: high watermark %d, %v", p.HighWatermark(), err)
	}
	n.close(t)
}

// An append may have written its batch and not yet said so when its topic goes.
func TestAppendThatADeletionOvertakes(t *testing.T) {
	n := openNode(t, vfs.NewMem())
	p := n.lead(t, 1, replica.Config{}, 1)
	mustAppend(t, p, plain(t, 3))
	if err := n.set.Delete(replica.TopicID{1}); err != nil {
		t.Fatal(err)
	}
	replica.OnDisk(n.dir).Dirty(p)
	if err := n.dir.Checkpoint(); err != nil {
		t.Errorf("the checkpoints fail on a topic that is gone: %v", err)
	}
	n.close(t)
}

// A directory of another topic with the same name is never opened and never
// deleted, and its marks say nothing about the new one.
func TestDirectoryOfAnOlderTopicIsSetAside(t *testing.T) {
	disk := vfs.NewMem()
	n := openNode(t, disk)
	mustAppend(t, n.lead(t, 1, replica.Config{}, 1), plain(t, 7))
	n.close(t)

	n = openNode(t, disk)
	p := n.lead(t, 2, replica.Config{}, 2)
	if p.LogStart() != 0 || p.LogEnd() != 0 {
		t.Errorf("the new topic begins at %d and ends at %d", p.LogStart(), p.LogEnd())
	}
	names, err := disk.ReadDir("data")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(names, func(e fs.DirEntry) bool { return e.Name() == "t-0-stray" }) {
		t.Errorf("nothing was set aside: %v", names)
	}
	n.close(t)
}

// A topic that was deleted while this broker did not lead it leaves marks
// behind; the next of its name must not begin where it had ended.
func TestNewTopicIgnoresMarksOfTheOld(t *testing.T) {
	disk := vfs.NewMem()
	n := openNode(t, disk)
	config := replica.Config{}
	config.Log.SegmentBytes, config.Log.RetentionBytes = 100, 100
	p := n.lead(t, 1, config, 1)
	for range 7 {
		mustAppend(t, p, plain(t, 1))
		if err := n.dir.Flusher.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if n.dir.Retain(start); p.LogStart() == 0 {
		t.Fatal("nothing was removed")
	}
	n.close(t)

	n = openNode(t, disk)
	a := replica.Assignment{Topic: "t", TopicID: replica.TopicID{1}, Leadership: leads(2, 2)}
	if err := n.set.Apply([]replica.Assignment{a}); err != nil {
		t.Fatal(err)
	}
	if err := n.set.Delete(replica.TopicID{1}); err != nil {
		t.Fatal(err)
	}
	if p := n.lead(t, 2, replica.Config{}, 3); p.LogStart() != 0 || p.LogEnd() != 0 || p.Recovery().Damaged {
		t.Errorf("the new topic: %v, recovery %+v", p, p.Recovery())
	}
	n.close(t)
}

// What is not flushed as a matter of course is flushed when a segment is
// full, so that a start after a crash reads one segment and not the log.
func TestPagecacheIsFlushedSegmentBySegment(t *testing.T) {
	n := openNode(t, vfs.NewMem())
	config := replica.Config{PageCache: true}
	config.Log.SegmentBytes = 3 * int64(len(plain(t, 1)))
	p := n.lead(t, 1, config, 1)
	for range 7 {
		mustAppend(t, p, plain(t, 1))
	}
	if err := n.dir.Flusher.Flush(); err != nil {
		t.Fatal(err)
	}
	if recovery, _, _, err := p.Checkpoint(); err != nil || recovery < 6 {
		t.Errorf("recovery begins at %d (%v), the last segment at 6", recovery, err)
	}
	n.close(t)
}

// survivors is how many records a loss of power leaves.
func survivors(t *testing.T, disk *vfs.Mem, c replica.Config) int64 {
	t.Helper()
	n := openNode(t, disk.Crash(nil))
	defer n.close(t)
	return n.lead(t, 1, c, 9).LogEnd()
}

// flush flushes what partitions have asked for by now.
func (n *node) flush(t *testing.T) {
	t.Helper()
	n.dir.FlushAged(n.now)
	if err := n.dir.Flusher.Flush(); err != nil {
		t.Fatal(err)
	}
}

func TestItem103_FlushMessages(t *testing.T) {
	for appended, want := range []int64{0, 0, 0, 0, 4, 4, 4, 4, 8, 8} {
		disk, config := vfs.NewMem(), replica.Config{PageCache: true, FlushMessages: 4}
		n := openNode(t, disk)
		p := n.lead(t, 1, config, 1)
		for range appended {
			mustAppend(t, p, plain(t, 1))
			n.flush(t)
		}
		if p.HighWatermark() != int64(appended) {
			t.Errorf("acked up to %d of %d: an ack does not wait for the flush", p.HighWatermark(), appended)
		}
		if got := survivors(t, disk, config); got != want {
			t.Errorf("flush.messages=4 and %d records: %d survive a loss of power, want %d", appended, got, want)
		}
	}
}

// The age is that of the oldest unflushed record: those that follow do not put
// the flush off.
func TestItem103_FlushMs(t *testing.T) {
	for name, tt := range map[string]struct {
		before, after replica.Config // the config is changed behind the second record
		want          []int64        // survivors of a crash after each step of 100 ms, with a record in each
	}{
		"never":          {replica.Config{}, replica.Config{}, []int64{0, 0, 0, 0, 0, 0}},
		"every 200 ms":   {replica.Config{FlushAge: 200 * time.Millisecond}, replica.Config{FlushAge: 200 * time.Millisecond}, []int64{0, 0, 3, 3, 3, 6}},
		"at once":        {replica.Config{FlushAge: 1}, replica.Config{FlushAge: 1}, []int64{0, 2, 2, 4, 4, 6}},
		"set later":      {replica.Config{}, replica.Config{FlushAge: 300 * time.Millisecond}, []int64{0, 0, 0, 4, 4, 4}},
		"made shorter":   {replica.Config{FlushAge: time.Hour}, replica.Config{FlushAge: 300 * time.Millisecond}, []int64{0, 0, 0, 4, 4, 4}},
		"made longer":    {replica.Config{FlushAge: 200 * time.Millisecond}, replica.Config{FlushAge: 400 * time.Millisecond}, []int64{0, 0, 0, 0, 5, 5}},
		"messages first": {replica.Config{FlushAge: 200 * time.Millisecond, FlushMessages: 2}, replica.Config{FlushAge: 200 * time.Millisecond, FlushMessages: 2}, []int64{0, 2, 2, 4, 4, 6}},
	} {
		for steps, want := range tt.want {
			disk := vfs.NewMem()
			n := openNode(t, disk)
			tt.before.PageCache, tt.after.PageCache = true, true
			p := n.lead(t, 1, tt.before, 1)
			for step := range steps + 1 {
				mustAppend(t, p, plain(t, 1))
				n.flush(t)
				if step == 1 {
					p.Configure(tt.after)
				}
				n.now = n.now.Add(100 * time.Millisecond)
			}
			if got := survivors(t, disk, tt.after); got != want {
				t.Errorf("%s: after %d steps %d survive, want %d", name, steps+1, got, want)
			}
		}
	}
}
