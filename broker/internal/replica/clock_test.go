package replica_test

import (
	"testing"
	"time"

	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/internal/vfs"
)

// D13: stamps of LogAppendTime never go back in a partition, so a lookup by
// time stays right when the machine's clock was set back.
func TestD13_AppendTimeDoesNotGoBack(t *testing.T) {
	w := newWorld(vfs.NewMem())
	p := w.lead(t, replica.Config{AppendTime: true}, 1)
	first := mustAppend(t, p, plain(t, 1)).LogAppendTime
	w.now = w.now.Add(-time.Hour)
	if again := mustAppend(t, p, plain(t, 1)).LogAppendTime; again < first {
		t.Errorf("stamped %d after %d", again, first)
	}
	w.now = w.now.Add(2 * time.Hour)
	if later := mustAppend(t, p, plain(t, 1)).LogAppendTime; later != w.now.UnixMilli() {
		t.Errorf("stamped %d when the clock says %d", later, w.now.UnixMilli())
	}
}
