//go:build integration

package integration

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// addresses is the line that dev prints with --json when everything is ready.
type addresses struct {
	Kafka    string `json:"kafka"`
	Registry string `json:"registry"`
	Connect  string `json:"connect"`
	Admin    string `json:"admin"`
}

// process is a running millrace dev.
type process struct {
	addresses
	t     *testing.T
	cmd   *exec.Cmd
	log   *os.File
	ready string // the first line of its output
}

// binary is the command under test, built by the Makefile.
func binary(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../bin/millrace")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run make build first", err)
	}
	return path
}

// start runs the command on a data directory, on free ports or on the one
// given, and returns when it says that it is ready.
func start(t *testing.T, dir, port string) *process {
	t.Helper()
	p := run(t, exec.Command(binary(t), "dev", "--data", dir, "--port", port, "--json"))
	if err := json.Unmarshal([]byte(p.ready), &p.addresses); err != nil {
		t.Fatalf("ready line %q: %v\n%s", p.ready, err, p.output())
	}
	return p
}

// run starts the command and returns when it has said its first line, which
// comes when every address is bound.
func run(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, cmd: cmd}
	log, err := os.OpenFile(filepath.Join(t.TempDir(), "millrace.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	p.log, p.cmd.Stderr = log, log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	ready := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(out).ReadString('\n')
		ready <- line
	}()
	select {
	case p.ready = <-ready:
	case <-time.After(30 * time.Second):
		t.Fatalf("not ready after 30 s\n%s", p.output())
	}
	return p
}

func (p *process) output() string {
	text, _ := os.ReadFile(p.log.Name())
	return string(text)
}

// kill is kill -9, and waits until the process is gone.
func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
	if p.t.Failed() {
		p.t.Logf("millrace said:\n%s", p.output())
	}
}

func (p *process) client(opts ...kgo.Opt) *kgo.Client {
	p.t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(p.Kafka)}, opts...)...)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(c.Close)
	return c
}
