package connect

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/millrace-io/millrace/internal/conf"
)

// Connector is one entry of a YAML file in the form that the worker and REST
// take.
type Connector struct {
	Name string
	// State is running, paused or stopped.
	State      string
	Properties map[string]string
	Config     *Config
}

// Entry is one item of connect.connectors. Its settings are checked against
// its class by Resolve, when the plugins are known.
type Entry struct {
	keys entryKeys
	node *conf.Node
}

type entryKeys struct {
	Name        string            `conf:"name,required" doc:"Name of the connector, 1 to 249 characters."`
	Class       string            `conf:"class,required" doc:"Short name of the plugin, or a Java class."`
	State       string            `conf:"state" enum:"running|paused|stopped" default:"running" doc:"State to begin in."`
	TasksMax    int               `conf:"tasks_max" default:"1" min:"1" max:"1000" doc:"Upper bound of the tasks."`
	Settings    *conf.Node        `conf:"settings" doc:"The plugin's own settings."`
	Config      map[string]string `conf:"config" doc:"Kafka Connect's property names verbatim."`
	Topics      []string          `conf:"topics" doc:"Topics that a sink reads."`
	TopicsRegex string            `conf:"topics_regex" doc:"RE2 of the topics that a sink reads."`
	Key         converterKeys     `conf:"key" doc:"How keys become bytes."`
	Value       converterKeys     `conf:"value" doc:"How values become bytes."`
	Create      struct {
		Partitions int               `conf:"partitions" default:"-1" min:"-1" doc:"Partitions; -1 is the broker's default."`
		Replicas   int               `conf:"replication_factor" default:"-1" min:"-1" doc:"Replication factor; -1 is the broker's default."`
		Config     map[string]string `conf:"config" doc:"Kafka topic configs verbatim."`
	} `conf:"create_topics" doc:"How topics of a source are made where they are missing."`
	Restart struct {
		Policy      string        `conf:"policy" enum:"on_failure|never" default:"on_failure" doc:"Whether a failed task is started again."`
		MinDelay    time.Duration `conf:"min_delay" default:"1s" min:"1ms" doc:"Wait before the first restart; doubles."`
		MaxDelay    time.Duration `conf:"max_delay" default:"60s" min:"1ms" doc:"Longest wait."`
		MaxAttempts int           `conf:"max_attempts" min:"0" doc:"Restarts within the window; 0 is no end."`
		Window      time.Duration `conf:"window" default:"10m" min:"1s" doc:"Span over which restarts are counted."`
	} `conf:"restart" doc:"What happens to a failed task."`
}

type converterKeys struct {
	Converter    string `conf:"converter" doc:"Name of the converter."`
	AutoRegister bool   `conf:"auto_register" doc:"Register schemas that the registry does not know."`
}

// DecodeConf reads the keys; faults have their places.
func (e *Entry) DecodeConf(n *conf.Node, s conf.Secrets) error {
	e.node = n
	s.Keep = true // resolved by the worker that runs it
	return n.Decode(&e.keys, s)
}

// properties pairs the keys of an entry with Connect's names; the rest of a
// longer key follows. The first pair that fits is taken.
func properties() [][2]string {
	return [][2]string{
		{"create_topics.partitions", "topic.creation.default.partitions"},
		{"create_topics.replication_factor", "topic.creation.default.replication.factor"},
		{"create_topics.config", "topic.creation.default"},
		{"name", "name"},
		{"class", "connector.class"},
		{"tasks_max", "tasks.max"},
		{"topics", "topics"},
		{"topics_regex", "topics.regex"},
		{"key.converter", "key.converter"},
		{"key.auto_register", "key.converter.auto.register.schemas"},
		{"value.converter", "value.converter"},
		{"value.auto_register", "value.converter.auto.register.schemas"},
		{"restart.policy", "restart.policy"},
		{"restart.min_delay", "restart.delay.min"},
		{"restart.max_delay", "restart.delay.max"},
		{"restart.max_attempts", "restart.max.attempts"},
		{"restart.window", "restart.window"},
		{"settings", ""},
		{"config", ""},
	}
}

// property names the Connect property of a key; state has none.
func property(key string) (string, bool) {
	for _, pair := range properties() {
		rest, ok := strings.CutPrefix(key, pair[0])
		if !ok || (rest != "" && rest[0] != '.') {
			continue
		}
		return strings.TrimPrefix(pair[1]+rest, "."), true
	}
	return "", false
}

// Resolve checks the entry with its plugin and gives its properties. Faults
// are conf.Errors with their places in the file.
func (e *Entry) Resolve(plugins []Plugin, s Secrets) (Connector, error) {
	props, origin, err := e.flatten()
	c := Connector{Name: e.keys.Name, State: e.keys.State, Properties: props}
	faults := []error{err}
	var placed conf.Errors
	if e.keys.Settings != nil {
		if plugin, unknown := Find(plugins, e.keys.Class); unknown == nil {
			err := plugin.tree(e.keys.Settings, s)
			errors.As(err, &placed)
			faults = append(faults, err)
		}
	}
	config, err := Configure(props, plugins, s)
	c.Config = config
	var bad *ConfigError
	if errors.As(err, &bad) {
		for _, f := range bad.Faults {
			missing := origin[f.Property] == nil && (f.Property == "name" || f.Property == "connector.class")
			if !missing && !mentions(placed, f.Property) {
				faults = append(faults, e.place(f, origin))
			}
		}
	}
	return c, conf.Join(faults...)
}

// flatten gives the properties and the node of each. A property that is given
// twice, natively and under config, is a fault that names both lines.
func (e *Entry) flatten() (map[string]string, map[string]*conf.Node, error) {
	props, origin := map[string]string{}, map[string]*conf.Node{}
	var faults conf.Errors
	e.node.Flatten(func(path, text string, at *conf.Node) {
		name, ok := property(path)
		if !ok {
			return
		}
		if before, twice := origin[name]; twice {
			faults = append(faults, at.Errorf("%s is given in line %d already, as %s", name, before.Pos.Line, before.Path))
			return
		}
		props[name], origin[name] = text, at
	})
	return props, origin, conf.Join(faults)
}

// place finds where a faulty property stands; one that is missing is shown at
// the entry.
func (e *Entry) place(f Fault, origin map[string]*conf.Node) conf.Error {
	if at, ok := origin[f.Property]; ok {
		message := strings.TrimPrefix(strings.TrimPrefix(f.Message, f.Property), ": ")
		return at.Errorf("%s", message)
	}
	at := *e.node
	if len(at.Fields) > 0 {
		at.Pos = at.Fields[0].Pos
	}
	return at.Errorf("%s", f.Message)
}

// mentions tells whether a fault of the tree is about the property already.
func mentions(errs conf.Errors, property string) bool {
	for _, e := range errs {
		if _, path, ok := strings.Cut(e.Path, "settings."); ok && conf.IsUnder(property, path) {
			return true
		}
	}
	return false
}

// Section is the part connect of the file of configuration.
type Section struct {
	Listen  string `conf:"listen" default:"127.0.0.1:8083" example:"host:port" doc:"REST; empty switches it off."`
	Profile string `conf:"profile" default:"local" doc:"The cluster; local is the broker of this process."`
	Group   string `conf:"group" default:"connect" doc:"Name of the worker group; the state topics begin with it."`
	Topics  struct {
		Config            string `conf:"config" doc:"Topic of the configurations; <group>-configs when absent."`
		Offsets           string `conf:"offsets" doc:"Topic of the source offsets; <group>-offsets when absent."`
		ReplicationFactor int    `conf:"replication_factor" default:"-1" min:"-1" doc:"Of the state topics; -1 is the broker's default."`
		OffsetsPartitions int    `conf:"offsets_partitions" default:"25" min:"1" doc:"Partitions of the offset topic."`
	} `conf:"topics" doc:"State topics."`
	OffsetFlushInterval time.Duration `conf:"offset_flush_interval" default:"5s" min:"10ms" doc:"How often positions are made durable."`
	Secrets             struct {
		Dirs        []string `conf:"dirs" doc:"Directories that file placeholders in connectors may read."`
		EnvPrefixes []string `conf:"env_prefixes" doc:"Prefixes of variables that env placeholders in connectors may read."`
	} `conf:"secrets" doc:"What connectors may read; nothing by default."`
	Connectors []Entry `conf:"connectors" doc:"Connectors that run from this file."`
}

// Resolve checks all connectors. The error is a conf.Errors with every fault.
func (s *Section) Resolve(plugins []Plugin, secrets Secrets) ([]Connector, error) {
	var out []Connector
	var faults []error
	seen := map[string]*conf.Node{}
	for i := range s.Connectors {
		e := &s.Connectors[i]
		c, err := e.Resolve(plugins, secrets)
		faults = append(faults, err)
		if before, twice := seen[c.Name]; twice && c.Name != "" {
			name, _ := e.node.Lookup("name")
			faults = append(faults, name.Errorf("connector %q is there already, in line %d", c.Name, before.Pos.Line))
		}
		seen[c.Name] = e.node
		out = append(out, c)
	}
	return out, conf.Join(faults...)
}

// Parse reads a file that holds connectors: the section connect, and perhaps
// profiles beside it. The error is a conf.Errors with every fault.
func Parse(file string, data []byte, plugins []Plugin, s Secrets) ([]Connector, error) {
	var root struct {
		Connect  *Section   `conf:"connect" doc:"The connectors."`
		Profiles *conf.Node `conf:"profiles" doc:"Clusters; read by the command."`
	}
	err := conf.Load(file, data, &root)
	if root.Connect == nil {
		if err == nil {
			err = conf.Error{Position: conf.Position{File: file, Line: 1, Column: 1}, Message: "no connectors: need connect: {connectors: [...]}"}
		}
		return nil, conf.Join(err)
	}
	connectors, problems := root.Connect.Resolve(plugins, s)
	if err = conf.Join(dropRepeats(err, problems)...); err != nil {
		return nil, err
	}
	return connectors, nil
}

// dropRepeats leaves out what both passes saw at the same place: the types of
// the runtime's own keys.
func dropRepeats(first, second error) []error {
	type place struct {
		conf.Position
		path string
	}
	var structure, problems conf.Errors
	errors.As(first, &structure)
	errors.As(second, &problems)
	seen := map[place]bool{}
	for _, e := range structure {
		seen[place{e.Position, e.Path}] = true
	}
	out := []error{first}
	for _, e := range problems {
		if !seen[place{e.Position, e.Path}] {
			out = append(out, e)
		}
	}
	return out
}

// String names the connector for messages.
func (c Connector) String() string { return fmt.Sprintf("connector %q", c.Name) }
