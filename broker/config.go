package broker

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/internal/kafkaconf"
)

// Config is what a broker is started with. The zero value is a broker in
// memory that only its own process can reach.
type Config struct {
	// NodeID is the broker's id in the cluster, from 1; 0 means 1.
	NodeID int32
	// DataDir is the directory of logs and metadata; it is made where it is
	// missing. Empty keeps everything in memory, and nothing survives Close.
	DataDir string
	// Listeners are the sockets that clients reach the broker on. Without any
	// it is reached through Cluster only.
	Listeners []Listener
	// Properties are broker configs by Kafka's names, such as
	// num.partitions, over the defaults.
	Properties map[string]string
	// LowerReplication creates topics with as many replicas as there are
	// brokers where more are asked for, and says so in the log. Development
	// and tests want it: clients such as goka ask for two by default. Without
	// it such a topic is refused, as Kafka does.
	LowerReplication bool
	// Logger takes what an operator should know; nil discards.
	Logger *slog.Logger
	// Metrics is where the broker's metrics are registered; nil keeps none.
	Metrics prometheus.Registerer
}

// Listener is a socket that clients reach the broker on.
type Listener struct {
	// Name is the listener's own; clients never see it.
	Name string
	// Address is host:port to listen on; port 0 takes a free one.
	Address string
	// Advertise is host:port as clients are told to reach it; the address it
	// listens on when empty.
	Advertise string
	// Bound is a socket that listens on Address already. Who starts several
	// parts binds them all first, so that a port in use is known before
	// anything is started. Start takes it over, also where it fails.
	Bound net.Listener
}

// The name of the listener that the process itself uses.
const internalListener = "internal"

// Validate reports everything that is wrong with the configuration, joined.
func (c Config) Validate() error {
	var errs []error
	if c.NodeID < 0 {
		errs = append(errs, fmt.Errorf("node id %d: need a number from 1", c.NodeID))
	}
	names, addresses := map[string]bool{internalListener: true}, map[string]bool{}
	for i, l := range c.Listeners {
		if err := l.validate(); err != nil {
			errs = append(errs, fmt.Errorf("listener %d: %w", i, err))
		}
		if l.Name != "" && names[l.Name] {
			errs = append(errs, fmt.Errorf("listener %d: the name %q is taken", i, l.Name))
		}
		names[l.Name] = true
		if _, port, _ := net.SplitHostPort(l.Address); addresses[l.Address] && port != "0" {
			errs = append(errs, fmt.Errorf("listener %d: another one listens on %s already", i, l.Address))
		}
		addresses[l.Address] = true
	}
	errs = append(errs, c.checkReplication()...)
	return errors.Join(append(errs, kafkaconf.Validate(kafkaconf.BrokerScope, c.Properties))...)
}

// checkReplication finds a minimum of replicas in sync that no topic of the
// default replication factor could ever have: no write with acks=all would
// succeed.
func (c Config) checkReplication() []error {
	least, err := strconv.Atoi(c.Properties["min.insync.replicas"])
	if err != nil {
		return nil
	}
	if factor, err := strconv.Atoi(c.Properties["default.replication.factor"]); err == nil && least > factor {
		return []error{fmt.Errorf("min.insync.replicas %d is above default.replication.factor %d, so no write with acks=all could succeed; lower it or raise the other", least, factor)}
	}
	return nil
}

func (l Listener) validate() error {
	if err := CheckAddress(l.Address); err != nil {
		return fmt.Errorf("address %w", err)
	}
	if err := CheckAdvertise(l.Advertise); err != nil {
		return fmt.Errorf("advertise %w", err)
	}
	return nil
}

// CheckAddress says what is wrong with the Address of a Listener.
func CheckAddress(address string) error { return checkAddress(address, 0) }

// CheckAdvertise says what is wrong with the Advertise of a Listener.
func CheckAdvertise(address string) error {
	if address == "" {
		return nil
	}
	if err := checkAddress(address, 1); err != nil {
		return err
	}
	host, _, _ := net.SplitHostPort(address)
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		return fmt.Errorf("%q: clients cannot connect to every address at once; name a host that they can resolve", address)
	}
	return nil
}

func checkAddress(address string, lowest int) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q: need host:port, such as 127.0.0.1:9092", address)
	}
	if n, err := strconv.Atoi(port); err != nil || n < lowest || n > 65535 {
		return fmt.Errorf("%q: port %q is not a number from %d to 65535", address, port, lowest)
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.NodeID == 0 {
		c.NodeID = 1
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	for i := range c.Listeners {
		if c.Listeners[i].Name == "" {
			c.Listeners[i].Name = fmt.Sprintf("listener-%d", i)
		}
	}
	return c
}

// Development returns the properties in which a broker for development
// differs from a server's: groups do not wait for more members, and topics are
// made on first use.
func Development() map[string]string {
	return map[string]string{
		"group.initial.rebalance.delay.ms": "0",
		"auto.create.topics.enable":        "true",
	}
}
