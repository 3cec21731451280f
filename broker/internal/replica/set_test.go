package replica_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/broker/internal/wait"
	"github.com/millrace-io/millrace/internal/vfs"
)

func topicOf(name string, id byte, partitions ...int32) []replica.Assignment {
	var out []replica.Assignment
	for _, i := range partitions {
		out = append(out, replica.Assignment{Topic: name, TopicID: replica.TopicID{id}, Partition: i, Leadership: leads(1, 1)})
	}
	return out
}

func TestSetFindsByNameAndByID(t *testing.T) {
	w := newWorld(vfs.NewMem())
	if err := w.set.Apply(slices.Concat(topicOf("a", 1, 0, 2), topicOf("b", 2, 0))); err != nil {
		t.Fatal(err)
	}
	if err := w.set.Apply(topicOf("a", 1, 3)); err != nil { // partitions were added
		t.Fatal(err)
	}
	for _, row := range []struct {
		topic     string
		id        byte
		partition int32
		want      bool
	}{
		{"a", 1, 0, true}, {"a", 1, 1, false}, {"a", 1, 2, true}, {"a", 1, 3, true}, {"a", 1, 4, false}, {"a", 1, -1, false},
		{"b", 2, 0, true}, {"c", 3, 0, false},
	} {
		byName, named := w.set.Partition(row.topic, row.partition)
		byID, known := w.set.ByID(replica.TopicID{row.id}, row.partition)
		if named != row.want || known != row.want || byName != byID {
			t.Errorf("%s-%d: by name %v, by id %v", row.topic, row.partition, named, known)
		}
	}
	if n := len(slices.Collect(w.set.All())); n != 4 {
		t.Errorf("%d replicas", n)
	}
}

func TestDeletedTopicIsGone(t *testing.T) {
	w := newWorld(vfs.NewMem())
	p := w.lead(t, replica.Config{}, 1)
	r := mustAppend(t, p, plain(t, 1))
	produce, woken, _ := waits(0, func(w *wait.Waiter) { p.Await(w, r) })
	if err := w.set.Delete(topicID); err != nil {
		t.Fatal(err)
	}
	produce.End()
	if *woken != 1 || !errors.Is(produce.Err(0), replica.ErrDeleted) {
		t.Errorf("who waited: woken %d times, %v", *woken, produce.Err(0))
	}
	if _, ok := w.set.Partition("t", 0); ok {
		t.Error("still in the set")
	}
	if _, err := p.Append(plain(t, 1), anyEpoch); !errors.Is(err, replica.ErrDeleted) {
		t.Errorf("append to what a request still held: %v", err)
	}
	if _, err := w.fs.Stat("data/t-0"); err == nil {
		t.Error("the directory is still there")
	}
	// A topic of the same name is another topic.
	again := assignment(replica.Config{}, 1)
	again.TopicID = replica.TopicID{9}
	if err := w.set.Apply([]replica.Assignment{again}); err != nil {
		t.Fatal(err)
	}
	if p, _ := w.set.Partition("t", 0); p.LogEnd() != 0 {
		t.Errorf("the new topic begins at %d", p.LogEnd())
	}
}

// One bad directory must not take the broker down.
func TestReplicaThatCannotBeOpenedIsLeftOut(t *testing.T) {
	disk := vfs.NewFault(vfs.NewMem())
	w := newWorld(disk)
	disk.Add(vfs.Rule{Op: vfs.OpMkdir, Match: "a-1"})
	err := w.set.Apply(topicOf("a", 1, 0, 1, 2))
	if err == nil {
		t.Fatal("no error")
	}
	for i, want := range []bool{true, false, true} {
		if _, ok := w.set.Partition("a", int32(i)); ok != want {
			t.Errorf("a-%d: in the set %v", i, ok)
		}
	}
	disk.Clear()
	if err := w.set.Apply(topicOf("a", 1, 1)); err != nil {
		t.Fatal(err)
	}
	if p, ok := w.set.Partition("a", 1); !ok || !p.Leads() {
		t.Error("not served once its disk works")
	}
}

func TestClosedSetAcksWhatItFlushed(t *testing.T) {
	w := newWorld(vfs.NewMem())
	p := w.lead(t, replica.Config{}, 1)
	r := mustAppend(t, p, plain(t, 1))
	produce, woken, _ := waits(0, func(w *wait.Waiter) { p.Await(w, r) })
	if err := w.set.Close(); err != nil {
		t.Fatal(err)
	}
	produce.End()
	if *woken != 1 || produce.Err(0) != nil {
		t.Errorf("woken %d times, %v", *woken, produce.Err(0))
	}
	if _, err := p.Append(plain(t, 1), anyEpoch); !errors.Is(err, replica.ErrClosed) {
		t.Errorf("append: %v", err)
	}
	if _, err := p.Read(read(0)); !errors.Is(err, replica.ErrClosed) {
		t.Errorf("read: %v", err)
	}
}
