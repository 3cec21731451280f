package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/millrace-io/millrace/broker"
	"github.com/millrace-io/millrace/internal/conf"
	"github.com/millrace-io/millrace/internal/node"
	"github.com/millrace-io/millrace/internal/ops"
)

// Scripts rely on exit codes, and people on the form of what is printed: what
// and why, a hint where there is one, and always a code.
func TestReport(t *testing.T) {
	port := &node.PortError{Part: "kafka", Address: "127.0.0.1:9092", Holder: "java (process 7)", Err: syscall.EADDRINUSE}
	for _, c := range []struct {
		err    error
		exit   int
		prints string
	}{
		{nil, 0, ""},
		{fmt.Errorf("write: %w", syscall.EPIPE), 0, ""},
		{errors.New("something"), 1, "error: something\ncode:  MR-1000\n"},
		{&ops.Fault{Kind: ops.Usage, Code: ops.CodeUsage, Message: "what", Hint: "hint\nover two lines", Try: "this"}, 2,
			"error: what\nhint:  hint\n       over two lines\n       try: this\ncode:  MR-2000\n"},
		{conf.Errors{{Position: conf.Position{File: "f.yaml", Line: 3, Column: 4}, Message: "wrong"}}, 2, "error: f.yaml has a fault\n"},
		{fmt.Errorf("open x: %w", fs.ErrNotExist), 2, "MR-2003"},
		{fmt.Errorf("list: %w", &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), 3, "MR-1001"},
		{&ops.Fault{Kind: ops.Unauthorized, Code: ops.CodeUnauthorized, Message: "no"}, 4, "MR-1004"},
		{fmt.Errorf("within: %w", &ops.Fault{Kind: ops.NotFound, Code: ops.CodeNoTopic, Message: "none"}), 5, "MR-1010"},
		{&ops.Fault{Kind: ops.Conflict, Code: ops.CodeTopicExists, Message: "there"}, 6, "MR-1011"},
		{&ops.Fault{Kind: ops.Partial, Code: ops.CodePartial, Message: "some"}, 7, "MR-1005"},
		{fmt.Errorf("start: %w", port), 1, "error: kafka: 127.0.0.1:9092 is in use by java (process 7)\nhint:  nothing was started"},
		{fmt.Errorf("%w: data is locked", broker.ErrDataDir), 1, "MR-6001"},
	} {
		var errs strings.Builder
		s := &shell{errs: &errs}
		if exit := s.report(c.err); exit != c.exit {
			t.Errorf("%v: exit code %d, want %d", c.err, exit, c.exit)
		}
		if c.prints == "" && errs.Len() > 0 || !strings.Contains(errs.String(), c.prints) {
			t.Errorf("%v: printed\n%s\nwant\n%s", c.err, &errs, c.prints)
		}
		if c.exit != 0 && !strings.Contains(errs.String(), "\ncode:  MR-") {
			t.Errorf("%v: printed no code:\n%s", c.err, &errs)
		}
	}
}
