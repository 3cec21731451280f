package weblog

import (
	"bufio"
	"compress/gzip"
	"errors"
	"os"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	r, err := Parse(`10.0.0.1 - frank [17/May/2015:10:05:03 +0000] "GET /a?b=\"c\" HTTP/1.1" 304 - "-" "curl \"7\""`)
	want := Request{
		Client: "10.0.0.1", Time: time.Date(2015, 5, 17, 10, 5, 3, 0, time.UTC), Method: "GET", Path: `/a?b=\"c\"`,
		Protocol: "HTTP/1.1", Status: 304, Referer: "-", Agent: `curl \"7\"`,
	}
	if err != nil || r != want {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, line := range []string{
		"", "hello", `10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "-" "cut`,
		`h - - [99/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "-" "x"`,
		`h - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 99999999999999999999 "-" "x"`,
	} {
		if r, err := Parse(line); !errors.Is(err, ErrMalformed) {
			t.Errorf("Parse(%q) = %+v, %v", line, r, err)
		}
	}
}

// What the shipped log holds: 9,999 lines parse, line 8,899 does not, because
// its user agent is cut.
func TestParseShippedLog(t *testing.T) {
	status, hours := map[int]int{}, map[time.Time]int{}
	for number, line := range shippedLines(t) {
		r, err := Parse(line)
		if err != nil {
			if number+1 != 8899 {
				t.Errorf("line %d: %v", number+1, err)
			}
			continue
		}
		status[r.Status]++
		hours[r.Time.Truncate(time.Hour)]++
		if at, err := EventTime("", line); err != nil || !at.Equal(r.Time) {
			t.Fatalf("line %d: event time %v, %v", number+1, at, err)
		}
	}
	want := map[int]int{200: 9125, 304: 445, 404: 213, 301: 164, 206: 45, 500: 3, 403: 2, 416: 2}
	for code, n := range want {
		if status[code] != n {
			t.Errorf("status %d: %d, want %d", code, status[code], n)
		}
	}
	if len(status) != len(want) || len(hours) != 84 {
		t.Errorf("%d codes, %d hours", len(status), len(hours))
	}
}

func shippedLines(t *testing.T) (lines []string) {
	t.Helper()
	f, err := os.Open("access.log.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for scanner := bufio.NewScanner(z); scanner.Scan(); {
		lines = append(lines, scanner.Text())
	}
	return lines
}

func FuzzParse(f *testing.F) {
	f.Add(`10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "-" "x"`)
	f.Fuzz(func(t *testing.T, line string) {
		if r, err := Parse(line); err == nil && (r.Status < 0 || r.Client == "") {
			t.Fatalf("%q gave %+v", line, r)
		}
	})
}
