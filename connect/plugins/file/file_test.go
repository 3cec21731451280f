package file

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace/connect"
)

// world drives a source task as the worker does, and keeps its positions.
type world struct {
	t       *testing.T
	dir     string
	set     SourceSettings
	stored  map[string]map[string]any
	running *task
}

func newWorld(t *testing.T, pattern string) *world {
	dir := t.TempDir()
	return &world{t: t, dir: dir, stored: map[string]map[string]any{},
		set: SourceSettings{Path: filepath.Join(dir, pattern), Topic: "t", Start: "beginning", AtEOF: "hold", PollInterval: time.Millisecond, MaxLine: 100}}
}

func (w *world) Connector() string          { return "c" }
func (w *world) Task() int                  { return 0 }
func (w *world) Config() connect.TaskConfig { return nil }
func (w *world) Generation() int64          { return 1 }
func (w *world) Logger() *slog.Logger       { return slog.New(slog.DiscardHandler) }
func (w *world) Offsets(partitions []map[string]any) []map[string]any {
	out := make([]map[string]any, len(partitions))
	for i, p := range partitions {
		out[i] = w.stored[p["path"].(string)]
	}
	return out
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) write(name, text string) {
	w.t.Helper()
	f, err := os.OpenFile(w.path(name), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) rename(from, to string) {
	w.t.Helper()
	if err := os.Rename(w.path(from), w.path(to)); err != nil {
		w.t.Fatal(err)
	}
}

// restart opens the task anew, from what is stored.
func (w *world) restart() {
	w.t.Helper()
	if w.running != nil {
		_ = w.running.Close(context.Background())
	}
	w.running = &task{settings: &w.set}
	if err := w.running.Open(context.Background(), w); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = w.running.Close(context.Background()) })
}

// read returns the lines up to a moment without new ones, and stores the
// positions of the first keep of them; a negative keep is all.
func (w *world) read(keep int) []string {
	w.t.Helper()
	if w.running == nil {
		w.restart()
	}
	var out []string
	for {
		b := connect.NewBatch(3, 1<<20)
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
		err := w.running.Read(ctx, b)
		cancel()
		for _, r := range b.Records {
			if keep < 0 || len(out) < keep {
				if err := r.Source.Validate(); err != nil {
					w.t.Fatal(err)
				}
				w.stored[r.Source.Partition["path"].(string)] = r.Source.Offset
			}
			out = append(out, r.Value.Any.(string))
		}
		if err != nil {
			if !errors.Is(err, context.DeadlineExceeded) {
				w.t.Fatal(err)
			}
			return out
		}
	}
}

func (w *world) expect(keep int, want ...string) {
	w.t.Helper()
	if got := w.read(keep); !slices.Equal(got, want) {
		w.t.Fatalf("read %q, want %q", got, want)
	}
}

func zip(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(text))
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestFollowsAndResumes(t *testing.T) {
	w := newWorld(t, "a.log")
	w.expect(-1) // the file may come later
	w.write("a.log", "1\n2\r\n\n4")
	w.expect(-1, "1", "2", "")
	w.write("a.log", "4\n5\n")
	w.expect(1, "44", "5") // the worker dies having stored the first only
	w.restart()
	w.expect(-1, "5")
	w.restart()
	w.expect(-1)
}

// CB14: the last line without a newline is held until it ends, or with emit
// it is a record, and what follows another.
func TestCB14LastLine(t *testing.T) {
	w := newWorld(t, "a.log")
	w.write("a.log", "1\nhal")
	w.expect(-1, "1")
	w.write("a.log", "f\n")
	w.expect(-1, "half")
	w.set.AtEOF = "emit"
	w.write("a.log", "end")
	w.restart()
	w.expect(-1, "end")
	w.restart()
	w.expect(-1)
	w.write("a.log", "2\n")
	w.expect(-1, "2")
}

// CB14: a truncated file is read from its beginning.
func TestCB14Truncated(t *testing.T) {
	w := newWorld(t, "a.log")
	w.write("a.log", "1\n2\n3\n")
	w.expect(-1, "1", "2", "3")
	if err := os.Truncate(w.path("a.log"), 0); err != nil {
		t.Fatal(err)
	}
	w.write("a.log", "4\n")
	w.expect(-1, "4")
}

// CB14: a renamed file is read to its end before the new one begins, while
// the task runs and while it does not.
func TestCB14Rotated(t *testing.T) {
	w := newWorld(t, "a.log")
	w.write("a.log", "1\n2\n")
	w.expect(-1, "1", "2")
	w.write("a.log", "3\n")
	w.rename("a.log", "a.log.1")
	w.write("a.log", "4\n")
	w.expect(-1, "3", "4")
	w.write("a.log", "5\n")
	w.rename("a.log", "a.log.0")
	w.write("a.log", "6\n")
	w.restart()
	w.expect(-1, "5", "6")
	w.restart()
	w.expect(-1)
}

// A glob that matches the new name too gives no line twice.
func TestRotatedWithinTheGlob(t *testing.T) {
	w := newWorld(t, "a.log*")
	w.write("a.log", "1\n2\n")
	w.expect(-1, "1", "2")
	w.write("a.log", "3\n")
	w.rename("a.log", "a.log.1")
	w.write("a.log", "4\n")
	w.expect(-1, "3", "4")
	w.write("a.log", "5\n")
	w.expect(-1, "5")
}

// A file replaced by another with the same inode, and the same or a greater
// size, is told by its first bytes.
func TestReplacedInPlace(t *testing.T) {
	w := newWorld(t, "a.log")
	w.write("a.log", "old 1\nold 2\n")
	w.expect(-1, "old 1", "old 2")
	if err := os.Truncate(w.path("a.log"), 0); err != nil {
		t.Fatal(err)
	}
	w.write("a.log", "new 1\nnew 2\nnew 3\n")
	w.restart()
	w.expect(-1, "new 1", "new 2", "new 3")
}

// CB14: gzip is seen by its magic bytes, resumes inside, and cut short gives
// what is whole and goes on when it grows.
func TestCB14Gzip(t *testing.T) {
	w := newWorld(t, "*.log")
	whole := zip(t, "1\n2\n3\n4\nlast")
	w.write("z.log", whole)
	w.expect(2, "1", "2", "3", "4")
	w.restart()
	w.expect(-1, "3", "4")
	w.restart()
	w.expect(-1)
	var text strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&text, "line %d of some text %x\n", i, i*i*7919)
	}
	long := zip(t, text.String())
	w.write("y.log", long[:len(long)/2])
	first := w.read(-1)
	if len(first) < 1000 || len(first) >= 5000 {
		t.Fatalf("%d lines of half a file", len(first))
	}
	w.write("y.log", long[len(long)/2:])
	rest := w.read(-1)
	if all := strings.Join(append(first, rest...), "\n") + "\n"; all != text.String() {
		t.Fatalf("%d and %d lines are not the file", len(first), len(rest))
	}
}

func TestStartAtEnd(t *testing.T) {
	w := newWorld(t, "*.log")
	w.set.Start = "end"
	w.write("a.log", "old\n")
	w.write("b.log", zip(t, "old\n"))
	w.expect(-1)
	w.write("a.log", "new\n")
	w.write("c.log", "a new file\n")
	w.expect(-1, "new", "a new file")
}

// CB13: bytes that are no UTF-8 pass, a byte order mark does not, and a line
// that is too long fails for good instead of being cut.
func TestCB13Text(t *testing.T) {
	w := newWorld(t, "a.log")
	w.write("a.log", "\xef\xbb\xbf1\n\xff\xfe\n")
	w.expect(-1, "1", "\xff\xfe")
	w.write("a.log", strings.Repeat("x", 100)+"\n"+strings.Repeat("y", 200))
	b := connect.NewBatch(10, 1<<20)
	err := w.running.Read(context.Background(), b)
	if err == nil {
		err = w.running.Read(context.Background(), connect.NewBatch(10, 1<<20))
	}
	if len(b.Records) != 1 || !connect.IsPermanent(err) || !strings.Contains(err.Error(), "max_line") {
		t.Fatalf("%d records, %v", len(b.Records), err)
	}
}

func TestSharesCoverEveryPath(t *testing.T) {
	for i := range 100 {
		path, owners := fmt.Sprintf("/var/log/%d.log", i), 0
		for n := range 3 {
			if parseShare(fmt.Sprintf("%d/3", n)).has(path) {
				owners++
			}
		}
		if owners != 1 {
			t.Errorf("%s has %d tasks", path, owners)
		}
	}
}

func sinkTaskOf(t *testing.T, path string) *sinkTask {
	t.Helper()
	s := (&sink{settings: &SinkSettings{Path: path}}).NewTask().(*sinkTask)
	if err := s.Open(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

// CB10, CB13, CB15: nothing a record may hold is lost or breaks the line.
func TestSinkLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "{topic}-{partition}.jsonl")
	s := sinkTaskOf(t, path)
	when := time.UnixMilli(1431857103000)
	records := []connect.Record{
		{Topic: "a", Partition: 1, Offset: 5, Timestamp: when, Key: connect.Text("k"), Value: connect.Text("v <&> \n\"")},
		{Topic: "a", Partition: 1, Offset: 6, Timestamp: time.UnixMilli(-1)},
		{Topic: "a", Partition: 1, Offset: 7, Timestamp: when, Key: connect.Text(""), Value: connect.Data{Any: map[string]any{"n": int64(9007199254740993), "b": []byte{0, 255}, "x": math.Inf(1), "l": []any{true, nil, "\xff"}}}},
		{Topic: "a", Partition: 1, Offset: 8, Timestamp: when, Value: connect.Data{Raw: []byte("raw")}, Headers: []connect.Header{{Key: "h", Value: connect.Text("1")}, {Key: "h"}}},
	}
	if err := s.Write(context.Background(), records); err != nil {
		t.Fatal(err)
	}
	durable, err := s.Flush(context.Background())
	if err != nil || durable[connect.TopicPartition{Topic: "a", Partition: 1}] != 9 {
		t.Fatalf("flushed %v, %v", durable, err)
	}
	want := `{"topic":"a","partition":1,"offset":5,"timestamp":1431857103000,"key":"k","value":"v <&> \n\""}
{"topic":"a","partition":1,"offset":6,"timestamp":-1,"key":null,"value":null}
{"topic":"a","partition":1,"offset":7,"timestamp":1431857103000,"key":"","value":{"b":{"base64":"AP8="},"l":[true,null,{"base64":"/w=="}],"n":9007199254740993,"x":"+Inf"}}
{"topic":"a","partition":1,"offset":8,"timestamp":1431857103000,"key":null,"value":{"base64":"cmF3"},"headers":[{"key":"h","value":"1"},{"key":"h","value":null}]}
`
	got, err := os.ReadFile(strings.NewReplacer("{topic}", "a", "{partition}", "1").Replace(path))
	if err != nil || string(got) != want {
		t.Fatalf("%v\n%s", err, got)
	}
	for line := range strings.Lines(string(got)) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
}

// What a crash left of a line is cut, and a second writer is refused.
func TestSinkAppends(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.jsonl")
	if err := os.WriteFile(path, []byte("{\"a\":1}\n{\"b\":"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := sinkTaskOf(t, path)
	one := []connect.Record{{Topic: "t", Value: connect.Text("x")}}
	if err := s.Write(context.Background(), one); err != nil {
		t.Fatal(err)
	}
	if err := sinkTaskOf(t, path).Write(context.Background(), one); err == nil || !strings.Contains(err.Error(), "another") {
		t.Errorf("a second writer: %v", err)
	}
	got, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(got), "{\"a\":1}\n{\"topic\"") {
		t.Fatalf("%v: %s", err, got)
	}
}

func TestEndOfLines(t *testing.T) {
	long := strings.Repeat("x", 200<<10)
	for text, want := range map[string]int64{"": 0, "a": 0, "a\n": 2, "a\nb": 2, "a\n" + long: 2, long + "\n": int64(len(long)) + 1} {
		if got, err := endOfLines(strings.NewReader(text), int64(len(text))); err != nil || got != want {
			t.Errorf("%d bytes: %d, %v; want %d", len(text), got, err, want)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	path := filepath.Join(b.TempDir(), "a.log")
	line := strings.Repeat("x", 240) + "\n"
	if err := os.WriteFile(path, bytes.Repeat([]byte(line), 10000), 0o644); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(line) * 10000))
	b.ReportAllocs()
	for b.Loop() {
		f, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		l, err := openLines(f, path, 0, 1<<20)
		if err != nil {
			b.Fatal(err)
		}
		t := &task{settings: &SourceSettings{Topic: "t"}}
		batch := connect.NewBatch(1000, 1<<20)
		for {
			line, err := l.next()
			if err != nil {
				break
			}
			if err := t.add(l, line, batch); err != nil {
				b.Fatal(err)
			}
			if batch.Full() {
				batch.Reset()
			}
		}
		l.close()
	}
}
