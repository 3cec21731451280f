package weblog

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Request is one parsed line of an access log.
type Request struct {
	Client   string    `avro:"client"`
	Time     time.Time `avro:"time,timestamp-millis"`
	Method   string    `avro:"method"`
	Path     string    `avro:"path"`
	Protocol string    `avro:"protocol"`
	Status   int       `avro:"status"`
	Bytes    int64     `avro:"bytes"`
	Referer  string    `avro:"referer"`
	Agent    string    `avro:"agent"`
}

// ErrMalformed is returned for a line that is not in Apache's combined format.
var ErrMalformed = errors.New("not in the combined log format")

// combined matches host, identity, user, [time], "request", status, bytes,
// "referer" and "agent". Quotes within a quoted field are escaped.
var combined = regexp.MustCompile(`^(\S+) \S+ (?:\S.*?) \[([^\]]+)\] "((?:[^"\\]|\\.)*)" (\d{3}) (\d+|-) "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"$`)

// timeLayout is that of the bracketed time.
const timeLayout = "02/Jan/2006:15:04:05 -0700"

// Parse reads one line in Apache's combined format.
func Parse(line string) (Request, error) {
	m := combined.FindStringSubmatch(line)
	if m == nil {
		return Request{}, fmt.Errorf("%w: %s", ErrMalformed, complaint(line))
	}
	at, err := time.Parse(timeLayout, m[2])
	if err != nil {
		return Request{}, fmt.Errorf("%w: time: %w", ErrMalformed, err)
	}
	method, rest, _ := strings.Cut(m[3], " ")
	path, protocol, _ := strings.Cut(rest, " ")
	status, err := strconv.Atoi(m[4])
	if err != nil {
		return Request{}, fmt.Errorf("%w: status: %w", ErrMalformed, err)
	}
	var size int64 // "-" is a reply without a body
	if m[5] != "-" {
		if size, err = strconv.ParseInt(m[5], 10, 64); err != nil {
			return Request{}, fmt.Errorf("%w: bytes: %w", ErrMalformed, err)
		}
	}
	return Request{
		Client: m[1], Time: at.UTC(), Method: method, Path: path, Protocol: protocol,
		Status: status, Bytes: size, Referer: m[6], Agent: m[7],
	}, nil
}

// complaint says the first thing that is wrong with a line.
func complaint(line string) string {
	switch quotes := strings.Count(line, `"`) - strings.Count(line, `\"`); {
	case line == "":
		return "the line is empty"
	case quotes%2 == 1:
		return "a closing quote is missing"
	case !strings.Contains(line, "["):
		return "there is no time in brackets"
	default:
		return "the fields are not host, identity, user, [time], request, status, bytes, referer, agent"
	}
}

// EventTime is the time of a line, taken without parsing the rest of it. A line
// without one is a dead letter.
func EventTime(_, line string) (time.Time, error) {
	_, rest, found := strings.Cut(line, " [")
	text, _, closed := strings.Cut(rest, "]")
	if !found || !closed {
		return time.Time{}, fmt.Errorf("%w: there is no time in brackets", ErrMalformed)
	}
	at, err := time.Parse(timeLayout, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: time: %w", ErrMalformed, err)
	}
	return at, nil
}
