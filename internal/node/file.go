package node

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/millrace-io/millrace/broker"
	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/connect"
	"github.com/millrace-io/millrace/connect/plugins/all"
	"github.com/millrace-io/millrace/connect/worker"
	"github.com/millrace-io/millrace/internal/conf"
	"github.com/millrace-io/millrace/internal/kafkaconf"
	"github.com/millrace-io/millrace/mirrormaker"
	"github.com/millrace-io/millrace/schema/compat"
	"github.com/millrace-io/millrace/schema/registry"
)

// File is millrace.yaml. A part runs when its section is there.
type File struct {
	Node     nodeSection                `conf:"node" doc:"This process."`
	Broker   *brokerSection             `conf:"broker" doc:"The broker."`
	Schema   *schemaSection             `conf:"schema" doc:"The schema registry."`
	Connect  *connect.Section           `conf:"connect" doc:"The connect worker."`
	Mirrors  []mirrormaker.Flow         `conf:"mirrors" doc:"Flows between clusters."`
	Profiles map[string]cluster.Profile `conf:"profiles" doc:"Other clusters, by name."`
	Metrics  metricsSection             `conf:"metrics" doc:"The admin server."`

	connectors []connect.Connector
}

type nodeSection struct {
	ID      int32  `conf:"id" default:"1" min:"1" doc:"The node's id in its cluster."`
	DataDir string `conf:"data_dir" doc:"Where the broker keeps logs and metadata."`
	Rack    string `conf:"rack" doc:"The node's rack."`
}

type brokerSection struct {
	Listeners []listenerSection `conf:"listeners" doc:"Where clients reach the broker."`
	Config    properties        `conf:"config" doc:"Broker configs by Kafka's names."`
}

type listenerSection struct {
	Name      string `conf:"name,required" doc:"The listener's name."`
	Address   string `conf:"address,required" example:"host:port" doc:"Where it listens."`
	Advertise string `conf:"advertise" example:"host:port" doc:"What clients are told; the address when absent."`
}

// Validate checks the addresses of one listener.
func (l *listenerSection) Validate() error {
	var errs []error
	if err := broker.CheckAddress(l.Address); err != nil && l.Address != "" {
		errs = append(errs, conf.At("address", err))
	}
	if err := broker.CheckAdvertise(l.Advertise); err != nil {
		errs = append(errs, conf.At("advertise", err))
	}
	return errors.Join(errs...)
}

// properties are broker configs by Kafka's names, checked by the table of
// configs.
type properties map[string]string

// DecodeConf implements conf.Custom: a name that is unknown is shown at the
// name, a value that is wrong at the value.
func (p *properties) DecodeConf(n *conf.Node, secrets conf.Secrets) error {
	values := map[string]string{}
	if err := n.Decode(&values, secrets); err != nil {
		return err
	}
	*p = values
	var wrong kafkaconf.Errors
	if !errors.As(kafkaconf.Validate(kafkaconf.BrokerScope, values), &wrong) {
		return nil
	}
	var faults []error
	for _, w := range wrong {
		faults = append(faults, place(n, w))
	}
	return conf.Join(faults...)
}

func place(n *conf.Node, wrong kafkaconf.Error) error {
	for _, f := range n.Fields {
		switch {
		case f.Key != wrong.Name:
		case wrong.Unknown:
			at := *f.Value
			at.Pos = f.Pos
			return at.Errorf("%s", wrong.Problem)
		default:
			return f.Value.Errorf("%q: %s", wrong.Value, wrong.Problem)
		}
	}
	return n.Errorf("%v", wrong)
}

type schemaSection struct {
	Listen          string `conf:"listen" default:"127.0.0.1:8081" example:"host:port" doc:"REST."`
	Profile         string `conf:"profile" default:"local" doc:"The cluster that holds the schemas."`
	Topic           string `conf:"topic" default:"_schemas" doc:"The topic that holds them."`
	Compatibility   string `conf:"compatibility" default:"BACKWARD" doc:"Level of subjects that have none of their own."`
	ResponseProfile int    `conf:"response_profile" default:"8" min:"7" max:"8" doc:"Generation of Confluent's API that replies look like."`
}

type metricsSection struct {
	Listen string `conf:"listen" default:"127.0.0.1:9644" example:"host:port" doc:"Metrics, health and profiles."`
}

// LoadFile reads millrace.yaml and reports every fault with its place.
func LoadFile(name string, data []byte) (*File, error) {
	f := &File{}
	err := conf.Load(name, data, f)
	if f.Connect == nil {
		return f, err
	}
	secrets := conf.Secrets{Dirs: f.Connect.Secrets.Dirs, EnvPrefixes: f.Connect.Secrets.EnvPrefixes}
	var faults error
	f.connectors, faults = f.Connect.Resolve(all.List(), secrets)
	return f, conf.Join(err, faults)
}

// Validate checks what spans sections. Keys may be zero that could not be read.
func (f *File) Validate() error {
	var errs []error
	fault := func(key string, err error) {
		if err != nil {
			errs = append(errs, conf.At(key, err))
		}
	}
	profiles := slices.Sorted(maps.Keys(f.Profiles))
	if f.Broker != nil {
		profiles = append(profiles, mirrormaker.Local)
		errs = append(errs, f.checkBroker())
	}
	if f.Schema != nil {
		_, err := compat.ParseLevel(f.Schema.Compatibility)
		fault("schema.compatibility", err)
		fault("schema.profile", known(f.Schema.Profile, profiles))
	}
	if f.Connect != nil {
		fault("connect.profile", known(f.Connect.Profile, profiles))
	}
	if f.Broker == nil && f.Schema == nil && f.Connect == nil && len(f.Mirrors) == 0 {
		errs = append(errs, errors.New("nothing to run: the file has none of broker, schema, connect and mirrors"))
	}
	return errors.Join(append(errs, mirrormaker.CheckFlows(f.Mirrors, profiles))...)
}

func (f *File) checkBroker() error {
	var errs []error
	if f.Node.DataDir == "" {
		errs = append(errs, conf.At("node.data_dir", errors.New("missing: where shall the broker keep its data?")))
	}
	names, addresses := map[string]bool{}, map[string]bool{}
	for i, l := range f.Broker.Listeners {
		at := fmt.Sprintf("broker.listeners[%d].", i)
		if names[l.Name] && l.Name != "" {
			errs = append(errs, conf.At(at+"name", fmt.Errorf("%q is the name of another listener", l.Name)))
		}
		if addresses[l.Address] && l.Address != "" {
			errs = append(errs, conf.At(at+"address", fmt.Errorf("%q is the address of another listener", l.Address)))
		}
		names[l.Name], addresses[l.Address] = true, true
	}
	return errors.Join(errs...)
}

func known(profile string, profiles []string) error {
	if slices.Contains(profiles, profile) {
		return nil
	}
	if near, ok := conf.Nearest(profile, profiles); ok {
		return fmt.Errorf("no profile %q (did you mean %s?)", profile, near)
	}
	return fmt.Errorf("no profile %q: known are %v; local is the broker of this file", profile, profiles)
}

func (f *File) broker() broker.Config {
	c := broker.Config{NodeID: f.Node.ID, DataDir: f.Node.DataDir, Properties: map[string]string(maps.Clone(f.Broker.Config))}
	if f.Node.Rack != "" {
		if c.Properties == nil {
			c.Properties = map[string]string{}
		}
		c.Properties["broker.rack"] = f.Node.Rack
	}
	for _, l := range f.Broker.Listeners {
		c.Listeners = append(c.Listeners, broker.Listener{Name: l.Name, Address: l.Address, Advertise: l.Advertise})
	}
	if len(c.Listeners) == 0 {
		c.Listeners = []broker.Listener{{Name: "local", Address: "127.0.0.1:9092"}}
	}
	return c
}

// Config is what Start takes.
func (f *File) Config() Config {
	c := Config{Profiles: f.Profiles, Mirrors: f.Mirrors, Admin: f.Metrics.Listen}
	if f.Broker != nil {
		b := f.broker()
		c.Broker = &b
	}
	if s := f.Schema; s != nil {
		c.Registry = &Registry{Listen: s.Listen, Profile: s.Profile, Config: registry.Config{
			Topic: s.Topic, Compatibility: compat.Level(s.Compatibility), ResponseProfile: s.ResponseProfile,
		}}
	}
	if s := f.Connect; s != nil {
		c.Connect = &Connect{Listen: s.Listen, Profile: s.Profile, Config: f.worker()}
	}
	return c
}

func (f *File) worker() worker.Config {
	s := f.Connect
	return worker.Config{
		Plugins: all.List(), Group: s.Group, ConfigTopic: s.Topics.Config, OffsetTopic: s.Topics.Offsets,
		OffsetPartitions: int32(s.Topics.OffsetsPartitions), ReplicationFactor: int16(s.Topics.ReplicationFactor),
		OffsetFlushInterval: s.OffsetFlushInterval, Seed: f.connectors,
		Secrets: connect.Secrets{Dirs: s.Secrets.Dirs, EnvPrefixes: s.Secrets.EnvPrefixes},
	}
}

// Dev is everything on, on loopback, for development: what millrace dev runs.
// An empty dir keeps all in memory. With UsualPorts the parts take the ports
// that clients expect; else Kafka takes the port and the others free ones.
func Dev(dir string, port int) Config {
	address := func(usual int) string {
		if port == UsualPorts {
			return fmt.Sprintf("127.0.0.1:%d", usual)
		}
		return "127.0.0.1:0"
	}
	kafka := address(9092)
	if port != UsualPorts {
		kafka = fmt.Sprintf("127.0.0.1:%d", port)
	}
	properties := broker.Development()
	if dir == "" {
		properties["offsets.topic.num.partitions"] = "1"
	}
	return Config{
		Broker: &broker.Config{
			DataDir: dir, Properties: properties, LowerReplication: true,
			Listeners: []broker.Listener{{Name: "local", Address: kafka}},
		},
		Registry: &Registry{Listen: address(8081)},
		Connect: &Connect{Listen: address(8083), Config: worker.Config{
			Plugins: all.List(), Secrets: connect.Secrets{Any: true},
		}},
		Admin: address(9644),
	}
}

// UsualPorts is the port of Dev that means every part's usual one.
const UsualPorts = -1
