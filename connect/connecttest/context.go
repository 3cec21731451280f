package connecttest

import (
	"errors"
	"log/slog"
	"maps"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/connect"
)

// named makes the configuration of a connector of a plugin's settings.
func named(p connect.Plugin, settings map[string]string) map[string]string {
	props := maps.Clone(settings)
	props["name"], props["connector.class"] = "kit", p.Name
	if p.Kind == connect.SinkKind {
		props["topics"] = "kit"
	}
	return props
}

// refuses expects each bad setting to be a configuration error that shows no
// secret.
func refuses(t *testing.T, p connect.Plugin, good map[string]string, bad []map[string]string) {
	for _, change := range bad {
		props := named(p, good)
		maps.Copy(props, change)
		_, err := connect.Configure(props, []connect.Plugin{p}, connect.Secrets{})
		var config *connect.ConfigError
		if !errors.As(err, &config) {
			t.Errorf("%v: got %v, want a configuration error", change, err)
			continue
		}
		for _, s := range p.Settings() {
			if value := props[s.Path]; s.Secret && value != "" && strings.Contains(err.Error(), value) {
				t.Errorf("%v: the error shows the secret %s", change, s.Path)
			}
		}
	}
}

type sourceContext struct{ t *testing.T }

func (c sourceContext) Logger() *slog.Logger { return slog.New(slog.DiscardHandler) }
func (c sourceContext) Replan()              {}

// taskContext is a worker with stored positions.
type taskContext struct {
	t      *testing.T
	config connect.TaskConfig
	stored map[string]connect.Position
}

func (c taskContext) Connector() string          { return "kit" }
func (c taskContext) Task() int                  { return 0 }
func (c taskContext) Config() connect.TaskConfig { return c.config }
func (c taskContext) Generation() int64          { return 1 }
func (c taskContext) Logger() *slog.Logger       { return slog.New(slog.DiscardHandler) }
func (c taskContext) Offsets(partitions []map[string]any) []map[string]any {
	out := make([]map[string]any, len(partitions))
	for i, p := range partitions {
		out[i] = c.stored[partitionOf(connect.Position{Partition: p})].Offset
	}
	return out
}
