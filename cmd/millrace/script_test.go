package main

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "write what cmp finds into the scripts")

// patience bounds every wait of a script.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"millrace": main})
}

// TestScripts runs the command as its users do, each script against nodes of
// its own:
//
//	serve NAME ARGS...     runs millrace ARGS until it is ready, and points the
//	                       commands that follow to its addresses
//	begin NAME ARGS...     runs millrace ARGS beside the script, with standard
//	                       input open
//	type NAME TEXT         gives it a line of input
//	awaits NAME REGEXP     waits until what it printed matches
//	interrupt NAME CODE    sends Ctrl-C and expects the exit code
//	terminate NAME CODE    sends SIGTERM and expects the exit code
//	exits CODE ARGS...     runs millrace ARGS and expects the exit code
//	until REGEXP ARGS...   runs millrace ARGS until its output matches
//	awaitfile FILE REGEXP  waits until a file's contents match
//	opens ID TOPIC         begins a transaction that writes a record, and leaves
//	                       it open
//	joins NAME GROUP TOPIC is a member of a group of the consumer protocol
//	scrub FILE             writes standard output to a file, without what
//	                       differs from run to run
func TestScripts(t *testing.T) {
	testscript.Run(t, params("testdata/script"))
}

// params are how the scripts of a directory run.
func params(dir string) testscript.Params {
	return testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		UpdateScripts:       *update,
		Setup: func(e *testscript.Env) error {
			e.Values[key{}] = map[string]*process{}
			// Nothing may answer where no node was started.
			e.Setenv("MILLRACE_BOOTSTRAP", "127.0.0.1:1")
			e.Setenv("MILLRACE_REGISTRY", "http://127.0.0.1:1")
			e.Setenv("MILLRACE_CONNECT", "http://127.0.0.1:1")
			e.Setenv("MILLRACE_ADMIN", "127.0.0.1:1")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": serve, "begin": begin, "type": typeLine, "awaits": awaits,
			"interrupt": ends("interrupt", os.Interrupt), "terminate": ends("terminate", syscall.SIGTERM),
			"exits": exits, "until": until, "awaitfile": awaitFile, "scrub": scrub,
			"opens": opens, "joins": joins,
		},
	}
}

type key struct{}

func processes(ts *testscript.TestScript) map[string]*process {
	return ts.Value(key{}).(map[string]*process)
}

func named(ts *testscript.TestScript, name string) *process {
	p := processes(ts)[name]
	if p == nil {
		ts.Fatalf("nothing named %s was begun", name)
	}
	return p
}

func need(ts *testscript.TestScript, neg bool, args []string, least int, usage string) {
	if neg || len(args) < least {
		ts.Fatalf("usage: %s", usage)
	}
}

func begin(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "begin NAME ARGS...")
	path := ts.Getenv("PATH")
	binary := ""
	for dir := range strings.SplitSeq(path, string(os.PathListSeparator)) {
		if _, err := os.Stat(dir + "/millrace"); err == nil {
			binary = dir + "/millrace"
			break
		}
	}
	cmd := exec.Command(binary, args[1:]...)
	cmd.Dir = ts.Getenv("WORK")
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "MILLRACE_BOOTSTRAP", "MILLRACE_REGISTRY", "MILLRACE_CONNECT", "MILLRACE_ADMIN"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	p, err := start(cmd)
	ts.Check(err)
	processes(ts)[args[0]] = p
	ts.Defer(func() { p.end(ts) })
}

// address is a line of what serving commands print first.
var address = regexp.MustCompile(`(?m)^(kafka|registry|connect|admin) +(\S+)$`)

func serve(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "serve NAME ARGS...")
	begin(ts, false, args)
	p := named(ts, args[0])
	p.await(ts, regexp.MustCompile(`(?m)^ready `))
	for _, line := range address.FindAllStringSubmatch(p.out.String(), -1) {
		name := "MILLRACE_" + strings.ToUpper(line[1])
		if line[1] == "kafka" {
			name = "MILLRACE_BOOTSTRAP"
		}
		ts.Setenv(name, line[2])
		ts.Setenv(args[0]+"_"+line[1], line[2])
	}
}

func typeLine(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "type NAME TEXT")
	_, err := named(ts, args[0]).in.Write([]byte(args[1] + "\n"))
	ts.Check(err)
}

func awaits(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "awaits NAME REGEXP")
	named(ts, args[0]).await(ts, regexp.MustCompile(args[1]))
}

// ends makes a command that sends a signal and expects an exit code.
func ends(name string, signal os.Signal) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		need(ts, neg, args, 2, name+" NAME CODE")
		p := named(ts, args[0])
		ts.Check(p.cmd.Process.Signal(signal))
		if got := p.wait(ts); strconv.Itoa(got) != args[1] {
			ts.Fatalf("%s ended with exit code %d, want %s\n%s%s", args[0], got, args[1], p.out, p.errs)
		}
		delete(processes(ts), args[0])
	}
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 1, "exits CODE ARGS...")
	err := ts.Exec("millrace", args[1:]...)
	var exit *exec.ExitError
	code := 0
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

func until(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "until REGEXP ARGS...")
	want := regexp.MustCompile(args[0])
	for deadline := time.Now().Add(patience); ; {
		err := ts.Exec("millrace", args[1:]...)
		if want.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no match of %s (%v)", args[0], err)
		}
	}
}

func awaitFile(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "awaitfile FILE REGEXP")
	want := regexp.MustCompile(args[1])
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		if want.Match(text) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no match of %s in %s (%v): %s", args[1], args[0], err, text)
		}
	}
}

// volatile is what differs from run to run in the output of commands.
var volatile = []struct{ pattern, with string }{
	{`[A-Za-z0-9+/_-]{22}==`, "MEMBER-ID"},
	{`(?m)(id"?: "?)[A-Za-z0-9_-]{22}\b`, "${1}TOPIC-ID"},
	{`\d{4}-\d\d-\d\dT[0-9:.]+Z`, "TIME"},
	{`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`, "TIME"},
	{`127\.0\.0\.1:\d+`, "ADDRESS"},
	{`"(version|go|os|arch)": "[^"]*"`, `"$1": "BUILD"`},
}

func scrub(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 1, "scrub FILE")
	text := ts.ReadFile("stdout")
	for _, v := range volatile {
		text = regexp.MustCompile(v.pattern).ReplaceAllString(text, v.with)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644))
}
