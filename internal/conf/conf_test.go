package conf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/google/go-cmp/cmp"
)

type listener struct {
	Name    string   `conf:"name,required" doc:"What messages call it."`
	Address string   `conf:"address,required" example:"host:port" doc:"Where it listens."`
	Auth    []string `conf:"auth" enum:"plain|scram-sha-256|scram-sha-512|oauthbearer" doc:"SASL mechanisms."`
}

type sample struct {
	Node struct {
		ID      int    `conf:"id" min:"0" max:"1000" doc:"Node id."`
		DataDir string `conf:"data_dir" doc:"Where data lies."`
	} `conf:"node" doc:"This process."`
	Broker *struct {
		Listeners []listener        `conf:"listeners" doc:"Where clients connect."`
		Config    map[string]string `conf:"config" doc:"Kafka's own names."`
	} `conf:"broker" doc:"The broker."`
	Limits struct {
		Idle   time.Duration `conf:"idle" default:"5s" min:"10ms" doc:"Idle time."`
		Memory Size          `conf:"memory" default:"64MiB" doc:"Bound of the buffers."`
		Ratio  float64       `conf:"ratio" default:"0.5" doc:"A share."`
		Strict bool          `conf:"strict" doc:"Refuse what is odd."`
		Token  Secret        `conf:"token" doc:"A secret."`
	} `conf:"limits" doc:"Bounds."`
	Settings *Node `conf:"settings" doc:"Decoded later."`
}

// The scripts under testdata hold a file each and what it must give: every
// fault of it in one run, or the struct.
func TestScripts(t *testing.T) {
	t.Setenv("MILLRACE_TEST_PORT", "9093")
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			input := strings.NewReplacer("<TAB>", "\t", "<empty>", "").Replace(d.Input)
			var into sample
			if err := Load("millrace.yaml", []byte(input), &into); err != nil {
				return err.Error() + "\n"
			}
			return fmt.Sprintf("%+v broker=%+v settings=%v\n", into.plain(), into.Broker, into.Settings.Properties())
		})
	})
}

func (s sample) plain() any {
	return struct{ Node, Limits any }{s.Node, s.Limits}
}

// The example of the manual: five faults, five lines, in one run.
func TestManualExample(t *testing.T) {
	file := `node: {id: 1}
broker:
  confg: {num.partitions: 6}
  listeners:
    - name: local
      adress: "127.0.0.1:9092"
      auth: [scram-sha-513]
    - name: clients
      address: 9093
`
	want := `millrace.yaml:3:3: unknown key broker.confg (did you mean config?)
millrace.yaml:5:7: broker.listeners[0]: missing key address
millrace.yaml:6:7: unknown key broker.listeners[0].adress (did you mean address?)
millrace.yaml:7:14: broker.listeners[0].auth[0]: "scram-sha-513" is not one of plain, scram-sha-256, scram-sha-512, oauthbearer (did you mean scram-sha-512?)
millrace.yaml:9:16: broker.listeners[1].address: need a string such as host:port, got a number`
	err := Load("millrace.yaml", []byte(file), &sample{})
	if err == nil {
		t.Fatal("no error")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Fatal(diff)
	}
}

func loadError(t *testing.T, file string) string {
	t.Helper()
	err := Load("f.yaml", []byte(file), &sample{})
	if err == nil {
		t.Fatalf("no error for %q", file)
	}
	return err.Error()
}

func TestC1UnknownKey(t *testing.T) {
	want := "f.yaml:2:3: unknown key node.data-dir (did you mean data_dir?)"
	if got := loadError(t, "node:\n  data-dir: /x\n"); got != want {
		t.Fatalf("got %s", got)
	}
}

func TestC2DuplicateKey(t *testing.T) {
	want := "f.yaml:3:3: duplicate key node.id (first at line 2)"
	if got := loadError(t, "node:\n  id: 1\n  id: 2\n"); got != want {
		t.Fatalf("got %s", got)
	}
}

func TestC3WrongUnit(t *testing.T) {
	want := `f.yaml:1:18: limits.memory: "10 MB" is not a size: write 10MiB (units are B, KiB, MiB, GiB, TiB, PiB)`
	if got := loadError(t, "limits: {memory: 10 MB}\n"); got != want {
		t.Fatalf("got %s", got)
	}
}

func TestSecretNeverShown(t *testing.T) {
	t.Setenv("MILLRACE_TEST_SECRET", "hunter2")
	var s sample
	if err := Load("f", []byte(`limits: {token: "${env:MILLRACE_TEST_SECRET}"}`), &s); err != nil {
		t.Fatal(err)
	}
	if s.Limits.Token != "hunter2" {
		t.Fatal("the secret was not resolved")
	}
	if shown := fmt.Sprintf("%v %+v %#v %s", s.Limits, s.Limits, s.Limits, s.Limits.Token); strings.Contains(shown, "hunter2") {
		t.Fatal(shown)
	}
	for _, key := range []string{"idle", "memory", "ratio", "strict"} {
		got := loadError(t, fmt.Sprintf(`limits: {%s: "${env:MILLRACE_TEST_SECRET}"}`, key))
		if strings.Contains(got, "hunter2") {
			t.Errorf("%s: an error shows the secret: %s", key, got)
		}
	}
}

func TestExpand(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	write := func(path, text string) string {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	plain := write(filepath.Join(dir, "plain"), "s3cret\n")
	props := write(filepath.Join(dir, "p.properties"), "# c\nuser = ann\npassword=x=y\n")
	object := write(filepath.Join(dir, "p.json"), `{"port": 5432, "host": "db"}`)
	far := write(filepath.Join(outside, "far"), "no")
	link := filepath.Join(dir, "link")
	if err := os.Symlink(far, link); err != nil {
		t.Fatal(err)
	}
	env := func(name string) (string, bool) {
		value, ok := map[string]string{"APP_A": "1", "HOME": "/root"}[name]
		return value, ok
	}
	s := Secrets{Dirs: []string{dir}, EnvPrefixes: []string{"APP_"}, LookupEnv: env}
	for _, tc := range []struct{ in, want, fault string }{
		{in: "no placeholder", want: "no placeholder"},
		{in: "a ${env:APP_A} b ${env:APP_B:-x}", want: "a 1 b x"},
		{in: "$${env:APP_A}", want: "${env:APP_A}"},
		{in: "price $5", want: "price $5"},
		{in: "${file:" + plain + "}", want: "s3cret"},
		{in: "${file:" + props + ":password}", want: "x=y"},
		{in: "${file:" + object + ":port}", want: "5432"},
		{in: "${env:APP_MISSING}", fault: "not set"},
		{in: "${env:HOME}", fault: "connect.secrets.env_prefixes"},
		{in: "${file:" + far + "}", fault: "connect.secrets.dirs"},
		{in: "${file:" + dir + "/../" + filepath.Base(outside) + "/far}", fault: "connect.secrets.dirs"},
		{in: "${file:" + link + "}", fault: "connect.secrets.dirs"},
		{in: "${file:" + dir + "/none}", fault: "no such file"},
		{in: "${file:relative}", fault: "absolute"},
		{in: "${file:" + object + ":none}", fault: "no key none"},
		{in: "${vault:x}", fault: "need ${env:NAME}"},
		{in: "${env:APP_A", fault: "without }"},
	} {
		got, err := s.Expand(tc.in)
		switch {
		case tc.fault == "" && (err != nil || got != tc.want):
			t.Errorf("%q: got %q, %v; want %q", tc.in, got, err, tc.want)
		case tc.fault != "" && (err == nil || !strings.Contains(err.Error(), tc.fault)):
			t.Errorf("%q: got %q, %v; want an error with %q", tc.in, got, err, tc.fault)
		}
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"7d": 7 * day, "1h30m": 90 * time.Minute, "1d12h": 36 * time.Hour, "2w": 14 * day, "1w1d1s": 8*day + time.Second,
		"250ms": 250 * time.Millisecond, "0": 0, "-5s": -5 * time.Second, "1.5d": 36 * time.Hour, "1.5h": 90 * time.Minute,
	} {
		got, err := ParseDuration(text)
		if err != nil || got != want {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
		if again, err := ParseDuration(FormatDuration(got)); err != nil || again != want {
			t.Errorf("%s: formatted as %s, read back as %v, %v", text, FormatDuration(got), again, err)
		}
	}
	for _, text := range []string{"", "5", "5 days", "1dd", "d", "1h1d", "--5s", "200000000w", "9999999999h"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]Size{"0": 0, "512": 512, "64MiB": 64 << 20, "1.5GiB": 3 << 29, "7B": 7, "1 KiB": 1024} {
		got, err := ParseSize(text)
		if err != nil || got != want {
			t.Errorf("%s: got %d, %v", text, got, err)
		}
		if again, err := ParseSize(got.String()); err != nil || again != want {
			t.Errorf("%s: shown as %s, read back as %d, %v", text, got, again, err)
		}
	}
	for _, text := range []string{"", "MiB", "10MB", "10m", "-1", "1.5", "99999999PiB", "1e3", "1.2.3KiB"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

type options struct {
	Mode    string `conf:"mode,required" enum:"a|b" doc:"Mode."`
	Columns []struct {
		Name  string `conf:"name,required" doc:"Name."`
		Width int    `conf:"width" default:"1" doc:"Width."`
	} `conf:"columns" doc:"Columns."`
	Tables   []string `conf:"tables" doc:"Tables."`
	Snapshot struct {
		Mode string        `conf:"mode" default:"initial" doc:"Mode."`
		Wait time.Duration `conf:"wait" default:"1s" doc:"Wait."`
	} `conf:"snapshot" doc:"Snapshot."`
	Labels map[string]string `conf:"labels" doc:"Labels."`
}

// A tree and its flat properties decode to the same struct, lists with commas
// and numbers beyond float64 included.
func TestTwoFaces(t *testing.T) {
	root, err := Parse("f", []byte(`
mode: a
columns: [{name: id, width: 3}, {name: "a,b"}]
tables: ["x,y", "[z]", w]
snapshot: {mode: never, wait: 2d}
labels: {big: 9007199254740993, zero: 0123, dotted.key: "v", flag: true}
`))
	if err != nil {
		t.Fatal(err)
	}
	var tree, flat options
	if err := root.Decode(&tree, Secrets{}); err != nil {
		t.Fatal(err)
	}
	props := root.Properties()
	if props["labels.big"] != "9007199254740993" || props["labels.zero"] != "0123" || props["snapshot.mode"] != "never" {
		t.Fatalf("properties: %v", props)
	}
	unknown, err := DecodeProperties(props, &flat, Secrets{})
	if err != nil || len(unknown) > 0 {
		t.Fatalf("unknown %v, error %v", unknown, err)
	}
	if diff := cmp.Diff(tree, flat); diff != "" {
		t.Fatal(diff)
	}
}

func TestPropertyFaults(t *testing.T) {
	unknown, err := DecodeProperties(map[string]string{
		"columns.0.width": "x", "snapshot.wait": "5 days", "snapshot.mod": "q", "other": "1",
	}, &options{}, Secrets{})
	want := `missing key mode
columns.0: missing key name
columns.0.width: need a whole number, got "x"
snapshot.wait: "5 days" is not a duration such as 30s, 1h30m or 7d`
	if err == nil {
		t.Fatal("no error")
	}
	got := strings.Split(err.Error(), "\n")
	wanted := strings.Split(want, "\n")
	if diff := cmp.Diff(sorted(wanted), sorted(got)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"other", "snapshot.mod"}, unknown); diff != "" {
		t.Error(diff)
	}
}

// Settings are decoded when their type is known, and still say where they
// stand.
func TestLaterDecodeKeepsPositions(t *testing.T) {
	var s sample
	if err := Load("f.yaml", []byte("settings:\n  mode: c\n  tablez: [x]\n"), &s); err != nil {
		t.Fatal(err)
	}
	err := s.Settings.Decode(&options{}, Secrets{})
	want := "f.yaml:2:9: settings.mode: \"c\" is not one of a, b\nf.yaml:3:3: unknown key settings.tablez (did you mean tables?)"
	if err == nil || err.Error() != want {
		t.Fatalf("got %v", err)
	}
}

type checked struct {
	Low  int `conf:"low" doc:"Low."`
	High int `conf:"high" doc:"High."`

	Steps []map[string]string `conf:"steps" doc:"Steps."`
}

func (c *checked) Validate() error {
	if c.Low > c.High {
		return errors.Join(At("low", fmt.Errorf("%d is above high", c.Low)), errors.New("the range is empty"),
			At("steps[1].from", errors.New("is odd")), At("steps[0].to", errors.New("is needed")))
	}
	return nil
}

func TestValidatorPlacesItsFaults(t *testing.T) {
	var into struct {
		Range checked `conf:"range" doc:"Range."`
	}
	err := Load("f", []byte("range:\n  high: 1\n  low: 2\n  steps: [{from: a}, {from: b}]\n"), &into)
	want := "f:2:3: range: the range is empty\nf:3:8: range.low: 2 is above high\n" +
		"f:4:12: range.steps[0].to: is needed\nf:4:29: range.steps[1].from: is odd"
	if err == nil || err.Error() != want {
		t.Fatalf("got %v", err)
	}
}

func TestDescribe(t *testing.T) {
	if err := Vet(sample{}); err != nil {
		t.Error(err)
	}
	var paths []string
	for _, s := range Describe(options{}) {
		paths = append(paths, s.Path+" "+s.Type)
	}
	want := []string{"mode string", "columns.N.name string", "columns.N.width int", "tables list", "snapshot.mode string", "snapshot.wait duration", "labels map"}
	if !reflect.DeepEqual(paths, want) {
		t.Errorf("got %q", paths)
	}
	var bad struct {
		N int `conf:"n" default:"x"`
	}
	if err := Vet(&bad); err == nil || !strings.Contains(err.Error(), "no doc") || !strings.Contains(err.Error(), "default of") {
		t.Errorf("got %v", err)
	}
}

// What would make the parser slow or exhaust the stack is refused first.
func TestHostileNesting(t *testing.T) {
	for name, text := range map[string]string{
		"flow": strings.Repeat("[", 300), "balanced": strings.Repeat("[", 300) + strings.Repeat("]", 300),
		"dashes": strings.Repeat("- ", 300) + "x", "indent": strings.Repeat(" ", 2000) + "a: 1", "large": strings.Repeat("#", 2<<20),
		"aliases": bomb(),
	} {
		start := time.Now()
		if err := Load("f", []byte(text), &sample{}); err == nil {
			t.Errorf("%s: no error", name)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
}

func bomb() string {
	var b strings.Builder
	b.WriteString("x-0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n")
	for i := 1; i < 10; i++ {
		fmt.Fprintf(&b, "x-%d: &a%d [%s*a%d]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), i-1)
	}
	return b.String()
}

func FuzzLoad(f *testing.F) {
	for _, seed := range []string{"", "a: 1", "node: {id: x}\n", "a: &a [*a]", "<<: *x", "? x", "- !!str 1", "a: ${env:X}", "\"\\", "a: |\n b"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var errs Errors
		if err := Load("f", data, &sample{}); err != nil && !errors.As(err, &errs) {
			t.Fatalf("error of another type: %T", err)
		}
		for _, e := range errs {
			if e.Line < 1 || e.Column < 0 {
				t.Fatalf("no place: %v", e)
			}
		}
	})
}

func sorted(lines []string) map[string]bool {
	set := map[string]bool{}
	for _, l := range lines {
		set[l] = true
	}
	return set
}
