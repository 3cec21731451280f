package kafkaconf

import (
	"maps"
	"slices"

	"github.com/agnivade/levenshtein"
)

// index holds the table by scope and name.
var index = map[Scope]map[string]*Key{
	TopicScope:  byName(topicKeys),
	BrokerScope: byName(brokerTables...),
	GroupScope:  byName(groupTables...),
}

// The tables by scope; those of topics are one.
var (
	brokerTables = [][]Key{logKeys, brokerKeys, coordinatorKeys, unusedKeys, unusedFeatureKeys}
	groupTables  = [][]Key{groupKeys, unusedGroupKeys}
)

func byName(tables ...[]Key) map[string]*Key {
	m := make(map[string]*Key)
	for _, table := range tables {
		for i := range table {
			m[table[i].Name] = &table[i]
		}
	}
	return m
}

// Lookup finds the key of a name.
func Lookup(s Scope, name string) (*Key, bool) {
	k, ok := index[s][name]
	return k, ok
}

// Keys lists the keys of a scope by name.
func Keys(s Scope) []*Key {
	keys := make([]*Key, 0, len(index[s]))
	for _, name := range slices.Sorted(maps.Keys(index[s])) {
		keys = append(keys, index[s][name])
	}
	return keys
}

// Validate checks a whole set of configs of one topic, broker or group: every
// name, every value, and the rules that span several. The error is an
// [Errors] that holds everything that is wrong, by name.
func Validate(s Scope, configs map[string]string) error {
	var errs Errors
	for _, name := range slices.Sorted(maps.Keys(configs)) {
		k, ok := Lookup(s, name)
		if !ok {
			errs = append(errs, Unknown(s, name))
			continue
		}
		if _, bad := k.read(configs[name]); bad != nil {
			errs = append(errs, *bad)
		}
	}
	if len(errs) == 0 && s == TopicScope {
		errs = spanning(configs)
	}
	if len(errs) > 0 {
		return errs
	}
	return nil
}

// spanning checks the rules between configs of one topic.
func spanning(configs map[string]string) Errors {
	t := Layers{Topic: configs}.TopicConfig()
	if t.Clean.MinLag > t.Clean.MaxLag {
		return Errors{{
			Name: "min.compaction.lag.ms", Value: configs["min.compaction.lag.ms"],
			Problem: "it is above max.compaction.lag.ms, so nothing could ever be compacted in time; lower it or raise the other",
		}}
	}
	return nil
}

// Unknown is the error for a name that is no config of the scope. It names
// the nearest one, where one is near.
func Unknown(s Scope, name string) Error {
	nearest, distance := "", len(name)/3+1
	for _, k := range Keys(s) {
		if d := levenshtein.ComputeDistance(name, k.Name); d < distance && !k.Hidden {
			nearest, distance = k.Name, d
		}
	}
	problem := "there is no " + s.String() + " config of this name"
	if nearest != "" {
		problem += "; did you mean " + nearest + "?"
	}
	return Error{Name: name, Unknown: true, Problem: problem}
}
