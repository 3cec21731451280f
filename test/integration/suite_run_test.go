//go:build integration

package integration

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// compile makes the suite's test binary from the sources of its module.
func (s suite) compile(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	out := filepath.Join(dir, s.name+".test")
	for _, args := range [][]string{
		{"mod", "init", "conformance"},
		{"get", s.module + "@" + s.version},
		{"test", "-c", "-o", out, s.pkg},
	} {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, text)
		}
	}
	return out
}

// outcome is what became of the tests of a run, by their full names.
type outcome struct {
	passed          int // on the top level
	failed, skipped []string
	text            []byte
}

var result = regexp.MustCompile(`(?m)^( *)--- (PASS|FAIL|SKIP): (\S+)`)

func parse(text []byte) outcome {
	o := outcome{text: text}
	for _, m := range result.FindAllSubmatch(text, -1) {
		switch top, name := len(m[1]) == 0, string(m[3]); string(m[2]) {
		case "PASS":
			if top {
				o.passed++
			}
		case "FAIL":
			o.failed = append(o.failed, name)
		case "SKIP":
			o.skipped = append(o.skipped, name)
		}
	}
	return o
}

// run runs tests of the compiled suite.
func (s suite) run(t *testing.T, binary, bootstrap string, args ...string) outcome {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, append([]string{"-test.v", "-test.timeout", "8m"}, args...)...)
	cmd.Dir = t.TempDir()
	cmd.Env = os.Environ()
	for _, e := range s.env {
		cmd.Env = append(cmd.Env, strings.ReplaceAll(e, "BOOTSTRAP", bootstrap))
	}
	text, err := cmd.CombinedOutput()
	o := parse(text)
	if err != nil && len(o.failed) == 0 || bytes.Contains(text, []byte("\npanic: ")) {
		t.Fatalf("%s: %v\n%s", s.name, err, tail(text))
	}
	return o
}

// check runs the suite. What fails is run once more, alone: the tests of
// others wait for fixed times, which a busy machine does not keep.
func (s suite) check(t *testing.T, binary, bootstrap string) {
	t.Helper()
	all := s.run(t, binary, bootstrap, "-test.skip", s.skipPattern())
	t.Logf("%s %s: %d passed, %d failed, %d skipped, %d left out", s.name, s.version, all.passed, len(all.failed), len(all.skipped), len(s.leftOut))
	for _, name := range topLevel(all.failed) {
		alone := s.run(t, binary, bootstrap, "-test.run", "^"+name+"$", "-test.skip", s.skipPattern())
		if len(alone.failed) > 0 {
			t.Errorf("%s fails, also when it runs alone:\n%s", name, tail(alone.text))
			continue
		}
		t.Logf("%s failed among the others and passed alone", name)
	}
	for _, name := range all.skipped {
		if s.skips[name] == "" {
			t.Errorf("%s is skipped, for a reason that nobody has written down", name)
		}
	}
	for name, reason := range s.skips {
		if !slices.Contains(all.skipped, name) {
			t.Logf("%s is not skipped any more (%s)", name, reason)
		}
	}
}

// skipPattern leaves out what is left out: for -test.skip.
func (s suite) skipPattern() string {
	var patterns []string
	for name := range s.leftOut {
		patterns = append(patterns, "^"+strings.ReplaceAll(name, "/", "$/^")+"$")
	}
	slices.Sort(patterns)
	return strings.Join(patterns, "|")
}

func topLevel(names []string) []string {
	var top []string
	for _, name := range names {
		if !strings.Contains(name, "/") {
			top = append(top, name)
		}
	}
	return top
}

// tail is the end of a long output, without the clients' own logs.
func tail(text []byte) string {
	const size = 8 << 10
	return string(text[max(0, len(text)-size):])
}

// warnings are the lines of the broker's log that an operator would look at.
func (p *process) warnings() []string {
	var found []string
	for line := range strings.Lines(p.output()) {
		if strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR") {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

// The tests of franz-go pass, and nothing in them is worth a warning.
func TestSuiteFranzGo(t *testing.T) {
	t.Parallel()
	s := kgoSuite()
	p := start(t, t.TempDir(), "0")
	s.check(t, s.compile(t), p.Kafka)
	if w := p.warnings(); len(w) > 0 {
		t.Errorf("%d warnings, first: %s", len(w), w[0])
	}
}

// The system tests of goka pass, with its two replicas on the one broker.
func TestSuiteGoka(t *testing.T) {
	t.Parallel()
	s := gokaSuite()
	p := start(t, t.TempDir(), "0")
	s.check(t, s.compile(t), p.Kafka)
}

// The tests of kafka-go pass. They know one address only, localhost:9092, so
// they and the broker get a network of their own where that can be had.
func TestSuiteKafkaGo(t *testing.T) {
	t.Parallel()
	s := kafkaGoSuite()
	compiled := s.compile(t)
	ownNetwork(t)
	dir := t.TempDir()
	config := filepath.Join(dir, "millrace.yaml")
	text := strings.ReplaceAll(kafkaGoConfig, "DIR", filepath.Join(dir, "data"))
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, exec.Command(binary(t), "start", "-c", config))
	s.check(t, compiled, "localhost:9092")
}

const kafkaGoConfig = `node:
  id: 1
  data_dir: DIR
broker:
  listeners:
    - name: plain
      address: localhost:9092
      advertise: localhost:9092
  config:
    auto.create.topics.enable: true
    message.max.bytes: 200000000
    group.initial.rebalance.delay.ms: 0
`
