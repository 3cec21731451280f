package file_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/connect/connecttest"
	"github.com/millrace-io/millrace/connect/plugins/file"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSourceKit(t *testing.T) {
	connecttest.Source(t, connecttest.SourceDriver{
		Plugin: file.Source(),
		New: func(t *testing.T) connecttest.SourceSystem {
			path := filepath.Join(t.TempDir(), "in.log")
			return connecttest.SourceSystem{
				Settings: map[string]string{"path": path, "topic": "t", "poll_interval": "10ms"},
				Add: func(values ...string) {
					f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
					if err != nil {
						t.Fatal(err)
					}
					_, err = f.WriteString(strings.Join(values, "\n") + "\n")
					if err = errors.Join(err, f.Close()); err != nil {
						t.Fatal(err)
					}
				},
			}
		},
		Bad: []map[string]string{{"path": ""}, {"topic": ""}, {"format": "xml"}, {"start": "middle"}, {"poll_interval": "soon"}, {"max_line": "0"}},
	})
}

func TestSinkKit(t *testing.T) {
	connecttest.Sink(t, connecttest.SinkDriver{
		Plugin: file.Sink(),
		New: func(t *testing.T) connecttest.SinkSystem {
			path := filepath.Join(t.TempDir(), "out.jsonl")
			return connecttest.SinkSystem{
				Settings: map[string]string{"path": path},
				Values:   func() []string { return readBack(t, path) },
			}
		},
		Bad: []map[string]string{{"path": ""}, {"format": "xml"}, {"mode": "overwrite"}},
	})
}

func readBack(t *testing.T, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(string(data)) {
		var row struct{ Value string }
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		out = append(out, row.Value)
	}
	return out
}
