package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// A closed goleveldb database keeps one goroutine for up to a second.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}

const shipped = "../access.log.gz"

// independent counts a log without the example's parser: by fields and quotes
// alone.
type independent struct {
	parsed, malformed int
	status, path      map[string]int
	hours             map[string]bool
}

func countIndependently(t *testing.T, path string) independent {
	t.Helper()
	in, err := openLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	c := independent{status: map[string]int{}, path: map[string]int{}, hours: map[string]bool{}}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		line := lines.Text()
		if strings.Count(line, `"`)%2 != 0 {
			c.malformed++
			continue
		}
		f := strings.Fields(line)
		c.parsed++
		c.status[f[8]]++
		c.path[f[6]]++
		c.hours[f[3][:len("[17/May/2015:10")]] = true
	}
	return c
}

// The demo's counts equal those of an independent pass over the shipped log.
func TestCountsEqualIndependentPass(t *testing.T) {
	want := countIndependently(t, shipped)
	if want.parsed != 9999 || want.malformed != 1 || want.status["200"] != 9125 || len(want.hours) != 84 {
		t.Fatalf("the independent pass itself is off: %d, %d", want.parsed, want.malformed)
	}
	p, err := startPipeline(t.Context(), shipped, "")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := p.await(t.Context(), &out, 10000); err != nil {
		t.Fatal(err)
	}
	r, err := p.result(t.Context(), 10000)
	if err := p.close(); err != nil {
		t.Error(err)
	}
	if err != nil || !r.ok() {
		t.Fatalf("%+v, %v", r, err)
	}
	equal := func(what string, got map[string]int64, want map[string]int) {
		for key, n := range want {
			if got[key] != int64(n) {
				t.Errorf("%s %s: %d, want %d", what, key, got[key], n)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d kinds, want %d", what, len(got), len(want))
		}
	}
	equal("status", r.byStatus, want.status)
	equal("path", r.byPath, want.path)
	if len(r.byHour) != len(want.hours) || r.dead != 1 {
		t.Errorf("%d hours and %d dead letters, want %d and 1", len(r.byHour), r.dead, len(want.hours))
	}
}

// Another log, plain, whose last line has no newline: every line is counted or
// a dead letter.
func TestOtherInput(t *testing.T) {
	path := filepath.Join(t.TempDir(), "my.log")
	at := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	var log strings.Builder
	for i := range 50 {
		fmt.Fprintf(&log, `10.0.0.%d - - [%s] "GET /p%d HTTP/1.1" 200 5 "-" "test"`+"\n", i%5, at.Add(time.Duration(i)*time.Hour).Format("02/Jan/2006:15:04:05 -0700"), i%3)
	}
	log.WriteString("garbage\n\nmore garbage")
	if err := os.WriteFile(path, []byte(log.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run(t.Context(), &out, path, ""); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if want := "demo: 53 lines in, 50 counted, 3 dead-lettered, 50 mirrored: ok\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("the last line is not %q:\n%s", want, out.String())
	}
}

func TestMissingInput(t *testing.T) {
	if err := run(t.Context(), new(bytes.Buffer), "does-not-exist.log", ""); err == nil || !strings.Contains(err.Error(), "does-not-exist.log") {
		t.Fatalf("got %v", err)
	}
}
