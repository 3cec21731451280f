package kafkaconf

import "strconv"

// Layers holds what is set, by place, nearest first. A nil map is an empty
// one. Layers only reads the maps.
type Layers struct {
	// Topic holds the topic's own configs.
	Topic map[string]string
	// Group holds the group's own configs.
	Group map[string]string
	// Broker holds the dynamic configs of this broker.
	Broker map[string]string
	// Cluster holds the dynamic configs of every broker.
	Cluster map[string]string
	// Static holds what the broker was started with.
	Static map[string]string
	// Replicas is the topic's number of replicas, which the default of
	// min.insync.replicas follows; 0 where it is not known.
	Replicas int
}

// Source says where a value was set. The numbers are those of the wire
// (DescribeConfigs v1, KIP-226).
type Source int8

// The sources.
const (
	FromTopic   Source = 1
	FromBroker  Source = 2
	FromCluster Source = 3
	FromStatic  Source = 4
	FromDefault Source = 5
	FromGroup   Source = 8
)

// Setting is one place where a value comes from.
type Setting struct {
	Name   string
	Value  string
	Source Source
}

// Entry is a config as DescribeConfigs shows it.
type Entry struct {
	Key *Key
	// Value is the value that counts, in the key's own unit. Null is set
	// where there is none.
	Value  string
	Null   bool
	Source Source
	// Synonyms are all places that give a value, the one that counts first,
	// each with its own name and in its own unit.
	Synonyms []Setting
}

// Resolve finds the value of a config and where it comes from. It reports
// false where the scope has no config of this name.
func (l Layers) Resolve(s Scope, name string) (Entry, bool) {
	k, ok := Lookup(s, name)
	if !ok {
		return Entry{}, false
	}
	return l.resolve(s, k), true
}

func (l Layers) resolve(s Scope, k *Key) Entry {
	e := Entry{Key: k, Null: true, Source: FromDefault}
	take := func(set Setting, unit int64) {
		if e.Synonyms = append(e.Synonyms, set); len(e.Synonyms) == 1 {
			e.Value, e.Null, e.Source = convert(set.Value, unit), false, set.Source
		}
	}
	switch s {
	case TopicScope:
		if v, ok := l.Topic[k.Name]; ok {
			take(Setting{k.Name, v, FromTopic}, 1)
		}
	case GroupScope:
		if v, ok := l.Group[k.Name]; ok {
			take(Setting{k.Name, v, FromGroup}, 1)
		}
	case BrokerScope:
	}
	for _, layer := range [...]struct {
		set    map[string]string
		source Source
	}{{l.Broker, FromBroker}, {l.Cluster, FromCluster}, {l.Static, FromStatic}} {
		for _, syn := range fallbacks(s, k) {
			if v, ok := layer.set[syn.Name]; ok {
				take(Setting{syn.Name, v, layer.source}, syn.Unit)
			}
		}
	}
	l.addDefaults(s, k, take)
	return e
}

// addDefaults adds the table's defaults of the synonyms, or the key's own
// where it has no synonyms.
func (l Layers) addDefaults(s Scope, k *Key, take func(Setting, int64)) {
	for _, syn := range fallbacks(s, k) {
		b, ok := Lookup(BrokerScope, syn.Name)
		if !ok || b.NoDefault {
			continue
		}
		value := b.Default
		if k.Name == "min.insync.replicas" && l.Replicas >= 3 {
			// Acked by all must mean by more than the leader (Jepsen 2013).
			value = "2"
		}
		take(Setting{syn.Name, value, FromDefault}, syn.Unit)
	}
	if s != BrokerScope && len(k.Synonyms) == 0 && !k.NoDefault {
		take(Setting{k.Name, k.Default, FromDefault}, 1)
	}
}

// fallbacks are the broker configs that give a key its value: its synonyms,
// or for a broker config itself.
func fallbacks(s Scope, k *Key) []Synonym {
	if s == BrokerScope {
		return []Synonym{as(k.Name)}
	}
	return k.Synonyms
}

// convert brings a broker config's value into the topic config's unit. A
// negative number of hours is "no limit" in any unit.
func convert(text string, unit int64) string {
	if unit == 1 {
		return text
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return text
	}
	if n < 0 {
		return "-1"
	}
	return strconv.FormatInt(n*unit, 10)
}

// value resolves and parses. A stored value that is not valid, which only an
// older or newer version can have left, counts as not set. A name that is not
// in the table is a mistake in the program.
func (l Layers) value(s Scope, name string) Value {
	e, ok := l.Resolve(s, name)
	if !ok {
		panic("kafkaconf: the table has no " + s.String() + " config " + name) //nolint:forbidigo // A wrong name in the program, found by its first test.
	}
	v, err := e.Key.Parse(e.Value)
	if err == nil || e.Null {
		return v
	}
	v, _ = e.Key.Type.parse(e.Key.Default)
	return v
}

// BrokerValue resolves a broker config to its typed value; the zero Value where
// it has none. The name must be in the table.
func (l Layers) BrokerValue(name string) Value { return l.value(BrokerScope, name) }
