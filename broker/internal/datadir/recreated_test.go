package datadir

import (
	"testing"

	"github.com/millrace-io/millrace/broker/internal/commitlog"
	"github.com/millrace-io/millrace/internal/vfs"
)

// A topic that is deleted and created again begins at nothing, whatever the
// checkpoint files said of the older one: its recovery point would hide from
// the next recovery what has to be scanned.
func TestRecreatedTopicHasNoMarks(t *testing.T) {
	m := vfs.NewMem()
	d := open(t, m, Options{})
	must(t, d.SetTopicID("t-0", "first"))
	p := addPartition(t, d, "t", commitlog.Config{})
	p.append(t, 5)
	must(t, d.Flusher.Flush())
	must(t, d.Checkpoint())
	p.entry.Forget()
	must(t, p.Delete())
	must(t, d.SetTopicID("t-0", "second"))

	d = open(t, m.Crash(nil), Options{}) // before the next checkpoint
	if got := d.Partition("t", 0); got.RecoveryPoint != 0 || got.HighWatermark != -1 {
		t.Errorf("the new topic has the older one's marks: %+v", got)
	}
}

// leaving is a partition that is deleted while a checkpoint looks at it,
// before or after it has told its mark.
type leaving struct {
	*partition
	told bool
}

func (l *leaving) Checkpoint() (recoveryPoint, logStart, highWatermark int64, err error) {
	if l.told {
		defer l.entry.Forget()
		return l.partition.Checkpoint()
	}
	l.entry.Forget()
	if err := l.Delete(); err != nil {
		return 0, 0, 0, err
	}
	return l.partition.Checkpoint()
}

// A partition that goes while the checkpoints are written neither fails them
// nor leaves a mark in them.
func TestCheckpointDuringADeletion(t *testing.T) {
	for _, told := range []bool{false, true} {
		d := open(t, vfs.NewMem(), Options{})
		kept, gone := addPartition(t, d, "kept", commitlog.Config{}), addPartition(t, d, "gone", commitlog.Config{})
		gone.entry.Remove()
		gone.entry = d.Add(&leaving{gone, told})
		kept.append(t, 2)
		gone.append(t, 5)
		must(t, d.Flusher.Flush())
		must(t, d.Checkpoint())
		must(t, d.Checkpoint()) // nothing is left to try again

		d.lock.Close()
		d = open(t, d.fs, Options{})
		if got := d.Partition("kept", 0); got.RecoveryPoint != 2 {
			t.Errorf("told %v: the mark of the other partition is %+v", told, got)
		}
		if got := d.Partition("gone", 0); got.RecoveryPoint != 0 || got.HighWatermark != -1 {
			t.Errorf("told %v: the deleted partition has a mark: %+v", told, got)
		}
	}
}
