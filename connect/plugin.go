package connect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/millrace-io/millrace/internal/conf"
)

// Spec describes a plugin. Its settings are the type parameter of
// SourcePlugin or SinkPlugin.
type Spec struct {
	Name    string   // "file-source"
	Aliases []string // Java class names whose configs are understood
	// Renamed pairs properties of the Java classes with settings here.
	Renamed map[string]string
	Version string
	Doc     string // the first sentence is the one in lists
	// ExactlyOnce says that the plugin can; the cluster must as well.
	ExactlyOnce bool
	// Key and Value name the default converters; empty is "string".
	Key, Value string
}

// Setting describes one key of a plugin's settings.
type Setting = conf.Setting

// Secrets says what ${env:...} and ${file:...} in settings may read; its zero
// value allows nothing.
type Secrets = conf.Secrets

// Kind is the direction of a plugin.
type Kind string

// The kinds, as REST names them.
const (
	SourceKind Kind = "source"
	SinkKind   Kind = "sink"
)

// Plugin is one class of connector.
type Plugin struct {
	Spec
	Kind Kind

	settings func() []Setting
	// tree checks the settings of a YAML file, so that faults have places.
	tree func(*conf.Node, conf.Secrets) error
	// check decodes flat properties and lists those that it does not know.
	check func(props map[string]string, s conf.Secrets) (unknown []string, err error)
	// open decodes them and makes the connector; one of source and sink is
	// set.
	open func(props map[string]string, s conf.Secrets) (opened, error)
}

type opened struct {
	source Source
	sink   Sink
}

// SourcePlugin makes a plugin of a source whose settings are a C.
func SourcePlugin[C any](s Spec, open func(*C) (Source, error)) Plugin {
	return plugin(s, SourceKind, func(c *C) (opened, error) {
		source, err := open(c)
		return opened{source: source}, err
	})
}

// SinkPlugin makes a plugin of a sink whose settings are a C.
func SinkPlugin[C any](s Spec, open func(*C) (Sink, error)) Plugin {
	return plugin(s, SinkKind, func(c *C) (opened, error) {
		sink, err := open(c)
		return opened{sink: sink}, err
	})
}

func plugin[C any](s Spec, kind Kind, open func(*C) (opened, error)) Plugin {
	return Plugin{
		Spec: s, Kind: kind,
		settings: func() []Setting { return conf.Describe(new(C)) },
		tree: func(n *conf.Node, secrets conf.Secrets) error {
			return n.Decode(new(C), secrets)
		},
		check: func(props map[string]string, secrets conf.Secrets) ([]string, error) {
			return conf.DecodeProperties(props, new(C), secrets)
		},
		open: func(props map[string]string, secrets conf.Secrets) (opened, error) {
			c := new(C)
			if _, err := conf.DecodeProperties(props, c, secrets); err != nil {
				return opened{}, err
			}
			return open(c)
		},
	}
}

// Settings lists the keys of the plugin's own settings.
func (p Plugin) Settings() []Setting { return p.settings() }

// Find returns the plugin of a class, by short name or Java class.
func Find(plugins []Plugin, class string) (Plugin, error) {
	known := make([]string, len(plugins))
	for i, p := range plugins {
		if p.Name == class || slices.Contains(p.Aliases, class) {
			return p, nil
		}
		known[i] = p.Name
	}
	slices.Sort(known)
	hint := ""
	if best, ok := conf.Nearest(class, known); ok {
		hint = " (did you mean " + best + "?)"
	}
	return Plugin{}, fmt.Errorf("unknown class %q%s: known are %s", class, hint, strings.Join(known, ", "))
}
