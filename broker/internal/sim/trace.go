package sim

import (
	"fmt"
	"hash"
	"hash/fnv"
	"strings"
)

// traceTail is how many of the last events a failure shows.
const traceTail = 40

// trace remembers the last events and a hash of all: equal seeds must give
// equal traces, or a failure could not be repeated.
type trace struct {
	hash  hash.Hash64
	tail  [traceTail]string
	count int
}

func newTrace() *trace { return &trace{hash: fnv.New64a()} }

func (t *trace) add(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	_, _ = t.hash.Write([]byte(line))
	t.tail[t.count%traceTail] = fmt.Sprintf("%5d %s", t.count, line)
	t.count++
}

// String shows the last events in their order.
func (t *trace) String() string {
	var b strings.Builder
	for i := max(0, t.count-traceTail); i < t.count; i++ {
		b.WriteString("\t" + t.tail[i%traceTail] + "\n")
	}
	return b.String()
}
