package connect_test

import (
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/millrace-io/millrace/connect"
	"github.com/millrace-io/millrace/connect/plugins/all"
	"github.com/millrace-io/millrace/internal/conf"
)

// CB1 to CB8: each script holds a file of connectors and what it must give:
// every fault with its place, or the properties that REST would show.
func TestFiles(t *testing.T) {
	t.Setenv("MILLRACE_TEST_TOPIC", "secret-topic")
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			input := strings.NewReplacer("<TAB>", "\t", "<empty>", "").Replace(d.Input)
			secrets := connect.Secrets{EnvPrefixes: []string{"MILLRACE_TEST_"}}
			connectors, err := connect.Parse("c.yaml", []byte(input), all.List(), secrets)
			if err != nil {
				return err.Error() + "\n"
			}
			var b strings.Builder
			for _, c := range connectors {
				b.WriteString(c.Name + " " + c.State + "\n")
				for _, s := range sortedProps(c.Properties) {
					b.WriteString("  " + s + "\n")
				}
				if len(c.Config.Unknown) > 0 {
					b.WriteString("  unknown: " + strings.Join(c.Config.Unknown, " ") + "\n")
				}
			}
			return b.String()
		})
	})
}

func sortedProps(props map[string]string) []string {
	var out []string
	for name, value := range props {
		out = append(out, name+"="+value)
	}
	for i := range out {
		for j := i + 1; j < len(out); j++ {
			if out[j] < out[i] {
				out[i], out[j] = out[j], out[i]
			}
		}
	}
	return out
}

// Every setting of every plugin has its sentence, and no plugin has one by
// the name of a property of the runtime.
func TestSettings(t *testing.T) {
	runtime := map[string]bool{}
	for _, s := range connect.RuntimeSettings() {
		runtime[s.Path] = true
		if s.Doc == "" {
			t.Errorf("%s: no doc", s.Path)
		}
	}
	for _, p := range all.List() {
		for _, s := range p.Settings() {
			if s.Doc == "" {
				t.Errorf("%s %s: no doc", p.Name, s.Path)
			}
			if runtime[s.Path] {
				t.Errorf("%s %s is a property of the runtime", p.Name, s.Path)
			}
		}
	}
	if err := conf.Vet(connect.Section{}); err != nil {
		t.Error(err)
	}
}

type account struct {
	User     string      `conf:"user" doc:"User."`
	Password conf.Secret `conf:"password" doc:"Password."`
	Nodes    []struct {
		Token string `conf:"token,secret" doc:"Token."`
	} `conf:"nodes" doc:"Nodes."`
}

// CT17: inline secrets are masked in what is shown; writing the mask back
// keeps the value, and placeholders are shown as they are.
func TestCT17Masks(t *testing.T) {
	p := connect.SinkPlugin(connect.Spec{Name: "x"}, func(*account) (connect.Sink, error) { return nil, nil })
	stored := map[string]string{"user": "ann", "password": "hunter2", "nodes.0.token": "t0", "nodes.1.token": "${env:T1}"}
	shown := p.Masked(stored)
	if shown["user"] != "ann" || shown["password"] != conf.Mask || shown["nodes.0.token"] != conf.Mask || shown["nodes.1.token"] != "${env:T1}" {
		t.Fatalf("shown %v", shown)
	}
	shown["user"], shown["nodes.0.token"] = "bob", "new"
	back := p.Unmasked(shown, stored)
	if back["user"] != "bob" || back["password"] != "hunter2" || back["nodes.0.token"] != "new" {
		t.Fatalf("written back %v", back)
	}
}

func TestCB5Names(t *testing.T) {
	for name, good := range map[string]bool{
		"a": true, "naïve-名": true, strings.Repeat("x", 249): true, "a%2Fb": true,
		"": false, "a/b": false, "a\x00b": false, "a\u0085b": false, strings.TrimSuffix("a b", "b"): false, "\xff": false, strings.Repeat("x", 250): false,
	} {
		if err := connect.ValidateName(name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestPermanent(t *testing.T) {
	if connect.Permanent(nil) != nil {
		t.Error("an error of nothing")
	}
	if err := connect.Permanent(connect.ErrPosition); !connect.IsPermanent(err) || err.Error() != connect.ErrPosition.Error() {
		t.Error(err)
	}
}
