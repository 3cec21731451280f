package commitlog

import (
	"testing"

	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

// A produce and a fetch in steady state must not allocate.
func TestAppendAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector drops pooled items")
	}
	for name, fsys := range map[string]vfs.FS{"disk": vfs.OS{}, "memory": vfs.NewMem()} {
		t.Run(name, func(t *testing.T) {
			l, err := Open(fsys, t.TempDir(), Config{}, OpenOptions{})
			must(t, err)
			defer l.Close()
			b := newBatch(0, 0, 1, 0, string(make([]byte, 900)))
			batches := make([]record.Batch, 3)
			appendOne := func() {
				end := l.End()
				for i := range batches { // One drain of three producers.
					b.Stamp(end, 0)
					batches[i] = b
				}
				must(t, l.Append(batches[:1], epochZero))
			}
			for range 2000 {
				appendOne()
			}
			if n := testing.AllocsPerRun(1000, appendOne); n != 0 {
				t.Errorf("an append allocates %v times", n)
			}
		})
	}
}

func TestReadAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector drops pooled items")
	}
	for name, fsys := range map[string]vfs.FS{"disk": vfs.OS{}, "memory": vfs.NewMem()} {
		t.Run(name, func(t *testing.T) {
			l, err := Open(fsys, t.TempDir(), Config{}, OpenOptions{})
			must(t, err)
			defer l.Close()
			appendN(t, l, 1000, 900)
			buf := make([]byte, 0, 64<<10)
			offset := int64(0)
			read := func() {
				offset = (offset + 37) % 990
				r, err := l.Read(offset, 995, 16<<10, true)
				must(t, err)
				if _, err := r.AppendTo(buf[:0]); err != nil || r.Size() == 0 {
					t.Fatal(r.Size(), err)
				}
				r.Release()
			}
			if n := testing.AllocsPerRun(1000, read); n != 0 {
				t.Errorf("a read allocates %v times", n)
			}
		})
	}
}
