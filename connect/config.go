package connect

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/millrace-io/millrace/internal/conf"
)

// Config is the configuration of one connector, read from its properties.
type Config struct {
	Name     string
	Plugin   Plugin
	TasksMax int
	// Topics or TopicsRegex, one of them, say what a sink reads.
	Topics      []string
	TopicsRegex string
	Key, Value  ConverterConfig
	Create      TopicCreation
	Restart     RestartPolicy
	// Properties is everything as it was given, secrets unresolved.
	Properties map[string]string
	// Unknown lists properties that neither the runtime nor the plugin
	// understands.
	Unknown []string

	own map[string]string // the plugin's
}

// ConverterConfig names a converter and holds its options, the properties
// below key.converter or value.converter.
type ConverterConfig struct {
	Name    string
	Options map[string]string
}

// TopicCreation says how a source's topics are made where they are missing
// (KIP-158).
type TopicCreation struct {
	// Partitions and ReplicationFactor are -1 for the broker's default.
	Partitions        int32
	ReplicationFactor int16
	Configs           map[string]string
}

// RestartPolicy says what happens to a task that failed.
type RestartPolicy struct {
	Never              bool
	MinDelay, MaxDelay time.Duration
	// MaxAttempts within Window end the attempts; 0 means no end.
	MaxAttempts int
	Window      time.Duration
}

// Fault is what is wrong with one property.
type Fault struct {
	Property string
	// Message names the property and says what is wrong.
	Message string
}

// ConfigError is every fault of a connector's configuration. A connector with
// one stays FAILED until its configuration changes.
type ConfigError struct{ Faults []Fault }

// Error gives one line per fault.
func (e *ConfigError) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.Message
	}
	return strings.Join(lines, "\n")
}

// runtime holds the properties that belong to the runtime and not to the
// plugin.
type runtime struct {
	Name        string        `conf:"name,required" doc:"Name of the connector, unique in its worker group."`
	Class       string        `conf:"connector.class,required" doc:"Short name of the plugin, or a Java class it stands in for."`
	TasksMax    int           `conf:"tasks.max" default:"1" min:"1" max:"1000" doc:"Upper bound of the tasks."`
	Topics      []string      `conf:"topics" doc:"Topics that a sink reads."`
	TopicsRegex string        `conf:"topics.regex" doc:"RE2 of the topics that a sink reads, refreshed with the metadata."`
	Key         string        `conf:"key.converter" doc:"Converter of the key; the plugin's own choice when absent."`
	Value       string        `conf:"value.converter" doc:"Converter of the value; the plugin's own choice when absent."`
	Partitions  int32         `conf:"topic.creation.default.partitions" default:"-1" min:"-1" doc:"Partitions of the topics a source makes; -1 is the broker's default."`
	Replicas    int16         `conf:"topic.creation.default.replication.factor" default:"-1" min:"-1" doc:"Replication factor of the topics a source makes; -1 is the broker's default."`
	Restart     string        `conf:"restart.policy" enum:"on_failure|never" default:"on_failure" doc:"Whether a failed task is started again."`
	MinDelay    time.Duration `conf:"restart.delay.min" default:"1s" min:"1ms" doc:"Wait before the first restart; doubles with each."`
	MaxDelay    time.Duration `conf:"restart.delay.max" default:"60s" min:"1ms" doc:"Longest wait before a restart."`
	MaxAttempts int           `conf:"restart.max.attempts" default:"0" min:"0" doc:"Restarts within the window after which the task stays failed; 0 is no end."`
	Window      time.Duration `conf:"restart.window" default:"10m" min:"1s" doc:"Span over which restarts are counted."`
}

// prefixes are properties of the runtime with a free rest.
func prefixes() []string {
	return []string{"key.converter", "value.converter", "topic.creation.default"}
}

// inert are properties of Java's runtime with the values that ask for nothing
// beyond what is done anyway. Another value is refused: to ignore it would
// change what the user relies on.
func inert() map[string][]string {
	return map[string][]string{
		"errors.tolerance":          {"none"},
		"errors.retry.timeout":      {"0"},
		"exactly.once.support":      {"requested", "off"},
		"transforms":                {""},
		"predicates":                {""},
		"header.converter":          {"simple", "org.apache.kafka.connect.storage.SimpleHeaderConverter"},
		"config.action.reload":      {"none", "restart"},
		"tasks.max.enforce":         {"true"},
		"transaction.boundary":      {"poll"},
		"errors.log.enable":         {"true", "false"},
		"errors.retry.delay.max.ms": {"60000"},
	}
}

// RuntimeSettings describes the properties that every connector has.
func RuntimeSettings() []Setting { return conf.Describe(runtime{}) }

// Configure reads the properties of a connector. The error is a *ConfigError
// with every fault. With s.Keep set placeholders are not followed.
func Configure(props map[string]string, plugins []Plugin, s Secrets) (*Config, error) {
	var r runtime
	faults := faultList{}
	left, err := conf.DecodeProperties(props, &r, s)
	faults.add(err)
	c := &Config{Name: r.Name, TasksMax: r.TasksMax, Topics: r.Topics, TopicsRegex: r.TopicsRegex, Properties: props, own: map[string]string{}}
	c.Create = TopicCreation{Partitions: r.Partitions, ReplicationFactor: r.Replicas, Configs: below(props, "topic.creation.default")}
	delete(c.Create.Configs, "partitions")
	delete(c.Create.Configs, "replication.factor")
	c.Restart = RestartPolicy{Never: r.Restart == "never", MinDelay: r.MinDelay, MaxDelay: r.MaxDelay, MaxAttempts: r.MaxAttempts, Window: r.Window}
	for _, name := range left {
		c.sort(name, props[name], &faults)
	}
	if r.Name != "" {
		faults.check("name", ValidateName(r.Name))
	}
	if r.MinDelay > r.MaxDelay {
		faults.check("restart.delay.min", errors.New("is longer than restart.delay.max"))
	}
	for property, name := range map[string]string{"key.converter": r.Key, "value.converter": r.Value} {
		if name != "" {
			_, err := FindConverter(name)
			faults.check(property, err)
		}
	}
	c.Key = ConverterConfig{r.Key, below(props, "key.converter")}
	c.Value = ConverterConfig{r.Value, below(props, "value.converter")}
	if r.Class != "" {
		c.resolve(r.Class, plugins, s, &faults)
	}
	if len(faults.list) > 0 {
		return c, &ConfigError{faults.list}
	}
	return c, nil
}

// sort says whose a property is that runtime has no field for.
func (c *Config) sort(name, value string, faults *faultList) {
	for _, prefix := range prefixes() {
		if strings.HasPrefix(name, prefix+".") {
			return
		}
	}
	if allowed, ok := inert()[name]; ok {
		if !slices.Contains(allowed, value) {
			known := strings.Join(allowed, ", ")
			faults.check(name, fmt.Errorf("%q is not supported by this version, leave it out%s", value, orValues(known)))
		}
		return
	}
	for _, prefix := range []string{"errors.deadletterqueue", "producer.override", "consumer.override", "admin.override", "offsets.storage.topic"} {
		if conf.IsUnder(name, prefix) {
			faults.check(name, errors.New("is not supported by this version"))
			return
		}
	}
	c.own[name] = value
}

func orValues(known string) string {
	if known == "" {
		return ""
	}
	return " or set it to one of: " + known
}

func (c *Config) resolve(class string, plugins []Plugin, s Secrets, faults *faultList) {
	plugin, err := Find(plugins, class)
	if err != nil {
		faults.check("connector.class", err)
		return
	}
	c.Plugin = plugin
	if plugin.Kind == SinkKind {
		c.checkTopics(faults)
	}
	for from, to := range plugin.Renamed {
		if value, given := c.own[from]; given && plugin.Name != class {
			delete(c.own, from)
			c.own[to] = value
		}
	}
	unknown, err := plugin.check(c.own, s)
	faults.add(err)
	c.Unknown = unknown
	if c.Key.Name == "" {
		c.Key.Name = orString(plugin.Key)
	}
	if c.Value.Name == "" {
		c.Value.Name = orString(plugin.Value)
	}
}

func orString(name string) string {
	if name == "" {
		return "string"
	}
	return name
}

func (c *Config) checkTopics(faults *faultList) {
	switch _, regex := c.Properties["topics.regex"]; {
	case regex && len(c.Topics) > 0:
		faults.check("topics.regex", errors.New("topics and topics.regex exclude each other"))
	case regex && c.TopicsRegex == "":
		faults.check("topics.regex", errors.New("must not be empty"))
	case !regex && len(c.Topics) == 0:
		faults.check("topics", errors.New("a sink needs topics or topics.regex"))
	}
	if slices.Contains(c.Topics, "") {
		faults.check("topics", errors.New("a topic has an empty name"))
	}
	if _, err := regexp.Compile(c.TopicsRegex); err != nil {
		faults.check("topics.regex", err)
	}
}

// OpenSource makes the source, with secrets resolved.
func (c *Config) OpenSource(s Secrets) (Source, error) {
	o, err := c.open(s)
	return o.source, err
}

// OpenSink makes the sink, with secrets resolved.
func (c *Config) OpenSink(s Secrets) (Sink, error) {
	o, err := c.open(s)
	return o.sink, err
}

func (c *Config) open(s Secrets) (opened, error) {
	o, err := c.Plugin.open(c.own, s)
	var faults faultList
	faults.add(err)
	if len(faults.list) > 0 {
		return opened{}, &ConfigError{faults.list}
	}
	return o, nil
}

// Masked returns the properties with the inline values of secret settings
// replaced: what answers, logs and traces show.
func (p Plugin) Masked(props map[string]string) map[string]string {
	shown := maps.Clone(props)
	for name := range p.secrets(props) {
		if !conf.HasPlaceholder(props[name]) {
			shown[name] = conf.Mask
		}
	}
	return shown
}

// Unmasked gives back the stored value where a written one is the mask: user
// interfaces write what they read.
func (p Plugin) Unmasked(props, stored map[string]string) map[string]string {
	real := maps.Clone(props)
	for name := range p.secrets(props) {
		if value, ok := stored[name]; ok && props[name] == conf.Mask {
			real[name] = value
		}
	}
	return real
}

var listIndex = regexp.MustCompile(`\.\d+\.`)

func (p Plugin) secrets(props map[string]string) map[string]bool {
	found := map[string]bool{}
	if p.settings == nil {
		return found
	}
	for _, s := range p.settings() {
		for name := range props {
			if s.Secret && listIndex.ReplaceAllString(name, ".N.") == s.Path {
				found[name] = true
			}
		}
	}
	return found
}

// below returns the properties under a prefix, without it.
func below(props map[string]string, prefix string) map[string]string {
	found := map[string]string{}
	for name, value := range props {
		if rest, ok := strings.CutPrefix(name, prefix+"."); ok {
			found[rest] = value
		}
	}
	return found
}

// faultList collects faults, one per property and message.
type faultList struct{ list []Fault }

func (l *faultList) check(property string, err error) {
	if err != nil {
		l.list = append(l.list, Fault{property, property + ": " + err.Error()})
	}
}

func (l *faultList) add(err error) {
	var errs conf.Errors
	var config *ConfigError
	switch {
	case err == nil:
	case errors.As(err, &errs):
		for _, e := range errs {
			l.list = append(l.list, Fault{e.Path, e.Message})
		}
	case errors.As(err, &config):
		l.list = append(l.list, config.Faults...)
	default:
		l.list = append(l.list, Fault{"connector.class", err.Error()})
	}
}

// taskProperties are the connector's own and the number of the task.
func (c *Config) taskProperties(index int) TaskConfig {
	props := TaskConfig(maps.Clone(c.Properties))
	props["task.id"] = strconv.Itoa(index)
	return props
}

// SinkTasks makes the task configs of a sink: each gets the connector's.
func (c *Config) SinkTasks() []TaskConfig {
	tasks := make([]TaskConfig, c.TasksMax)
	for i := range tasks {
		tasks[i] = c.taskProperties(i)
	}
	return tasks
}
