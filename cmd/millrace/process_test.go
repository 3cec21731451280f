package main

import (
	"bytes"
	"io"
	"os/exec"
	"regexp"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// process is a command that runs beside a script.
type process struct {
	cmd       *exec.Cmd
	in        io.WriteCloser
	out, errs *transcript
	ended     chan struct{}
}

func start(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, ended: make(chan struct{})}
	p.out, p.errs = newTranscript(), newTranscript()
	cmd.Stdout, cmd.Stderr = p.out, p.errs
	var err error
	if p.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = cmd.Wait() // the exit code is in ProcessState
		close(p.ended)
	}()
	return p, nil
}

// await waits until standard output or standard error matches.
func (p *process) await(ts *testscript.TestScript, want *regexp.Regexp) {
	late := time.After(patience)
	for {
		grown := []chan struct{}{p.out.grown(), p.errs.grown()}
		if want.MatchString(p.out.String()) || want.MatchString(p.errs.String()) {
			return
		}
		select {
		case <-grown[0]:
		case <-grown[1]:
		case <-p.ended:
			if want.MatchString(p.out.String()) || want.MatchString(p.errs.String()) {
				return
			}
			ts.Fatalf("%v ended before it printed %s\n%s%s", p.cmd.Args, want, p.out, p.errs)
		case <-late:
			ts.Fatalf("%v did not print %s\n%s%s", p.cmd.Args, want, p.out, p.errs)
		}
	}
}

// wait waits for the end and returns the exit code.
func (p *process) wait(ts *testscript.TestScript) int {
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		ts.Fatalf("%v did not end\n%s%s", p.cmd.Args, p.out, p.errs)
		return -1
	}
}

// end kills what a script has left running.
func (p *process) end(ts *testscript.TestScript) {
	select {
	case <-p.ended:
		return
	default:
	}
	_ = p.cmd.Process.Kill()
	<-p.ended
	ts.Logf("%v printed:\n%s%s", p.cmd.Args, p.out, p.errs)
}

// transcript is what a process has printed so far.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed by the next write
}

func newTranscript() *transcript { return &transcript{more: make(chan struct{})} }

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.more)
	t.more = make(chan struct{})
	return t.text.Write(p)
}

func (t *transcript) grown() chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.more
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}
