package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/millrace-io/millrace/broker"
	"github.com/millrace-io/millrace/internal/conf"
	"github.com/millrace-io/millrace/internal/node"
	"github.com/millrace-io/millrace/internal/ops"
)

// report prints what went wrong, why and what to try, and returns the exit
// code.
func (s *shell) report(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, syscall.EPIPE): // the reader of our output has seen enough
		return 0
	}
	var config conf.Errors
	if errors.As(err, &config) { // each line begins with its place, for editors
		fmt.Fprintln(s.errs, config)
		err = configFault(config)
	}
	f := asFault(err)
	fmt.Fprintf(s.errs, "error: %s\n", indented(f.Error()))
	if f.Hint != "" {
		fmt.Fprintf(s.errs, "hint:  %s\n", indented(f.Hint))
	}
	if f.Try != "" {
		fmt.Fprintf(s.errs, "       try: %s\n", f.Try)
	}
	fmt.Fprintf(s.errs, "code:  %s\n", f.Code)
	return int(f.Kind)
}

func indented(text string) string { return strings.ReplaceAll(text, "\n", "\n       ") }

func configFault(faults conf.Errors) *ops.Fault {
	f := &ops.Fault{
		Kind: ops.Usage, Code: ops.CodeConfigFile, Message: fmt.Sprintf("%s has %d faults", faults[0].File, len(faults)),
		Hint: "all of them are listed above; nothing was started",
	}
	if len(faults) == 1 {
		f.Message, f.Hint = faults[0].File+" has a fault", "it is shown above; nothing was started"
	}
	return f
}

// asFault gives an error of any part the form in which people see it.
func asFault(err error) *ops.Fault {
	var f *ops.Fault
	var port *node.PortError
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &port):
		return &ops.Fault{
			Kind: ops.Failed, Code: ops.CodePort, Message: port.Error(),
			Hint: "nothing was started; another millrace may run already", Try: "millrace dev --port 0, which takes free ports",
		}
	case errors.Is(err, broker.ErrDataDir):
		return &ops.Fault{
			Kind: ops.Failed, Code: ops.CodeData, Message: err.Error(),
			Hint: "the broker keeps everything that was acked there, so it needs the directory for itself", Try: "--data DIR, or node.data_dir in the file of configuration",
		}
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EISDIR):
		return &ops.Fault{Kind: ops.Usage, Code: ops.CodeFile, Message: err.Error()}
	case ops.Unreached(err):
		return &ops.Fault{Kind: ops.Unreachable, Code: ops.CodeUnreachable, Message: err.Error()}
	}
	return &ops.Fault{Kind: ops.Failed, Code: ops.CodeFailed, Message: err.Error()}
}
