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
