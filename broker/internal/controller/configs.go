package controller

import (
	"maps"
	"slices"
	"strconv"

	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/internal/kafkaconf"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Op is what IncrementalAlterConfigs does to a config. The numbers are those
// of the wire.
type Op int8

// The operations. OpAppend and OpSubtract are for lists.
const (
	OpSet      Op = 0
	OpDelete   Op = 1
	OpAppend   Op = 2
	OpSubtract Op = 3
)

// ConfigOp changes one config.
type ConfigOp struct {
	Name  string
	Op    Op
	Value *string // of no meaning for OpDelete
}

// AlterConfig asks for changes to the configs of one resource.
type AlterConfig struct {
	Resource metadata.Resource
	Ops      []ConfigOp
}

// ConfigResult answers for one resource.
type ConfigResult struct {
	Resource metadata.Resource
	Err      *Error
}

// IncrementalAlterConfigs changes the named configs and leaves the others. A
// resource is changed as a whole or not at all.
func (s State) IncrementalAlterConfigs(wishes []AlterConfig, validateOnly bool) ([]metadata.Record, []ConfigResult) {
	return s.alterConfigs(wishes, validateOnly, maps.Clone[map[string]string])
}

// AlterConfigs replaces all configs of each resource by the given ones: what
// is not named goes back to its default. All operations must be OpSet.
func (s State) AlterConfigs(wishes []AlterConfig, validateOnly bool) ([]metadata.Record, []ConfigResult) {
	return s.alterConfigs(wishes, validateOnly, func(map[string]string) map[string]string { return nil })
}

// alterConfigs applies the operations to what keep leaves of a resource's
// configs.
func (s State) alterConfigs(wishes []AlterConfig, validateOnly bool, keep func(map[string]string) map[string]string) ([]metadata.Record, []ConfigResult) {
	p := s.plan()
	results := make([]ConfigResult, 0, len(wishes))
	for w, again := range once(wishes, func(w AlterConfig) metadata.Resource { return w.Resource }) {
		r := ConfigResult{Resource: w.Resource}
		if again {
			r.Err = refuse(kerr.InvalidRequest, "resource %q occurs twice in the request", w.Resource.Name)
		} else {
			r.Err = p.alter(w, keep(p.Image.Config(w.Resource)))
		}
		results = append(results, r)
	}
	if validateOnly {
		return nil, results
	}
	return p.records, results
}

func (p *plan) alter(w AlterConfig, set map[string]string) *Error {
	scope, err := p.scope(w.Resource)
	if err != nil {
		return err
	}
	if set == nil {
		set = make(map[string]string)
	}
	for op, again := range once(w.Ops, func(op ConfigOp) string { return op.Name }) {
		if again {
			return refuse(kerr.InvalidRequest, "config %s occurs twice for one resource", op.Name)
		}
		if err := mayUpdate(scope, w.Resource, op.Name); err != nil {
			return err
		}
		if err := p.operate(scope, w.Resource, op, set); err != nil {
			return err
		}
	}
	if err := kafkaconf.Validate(scope, set); err != nil {
		return refuse(kerr.InvalidConfig, "%v", err)
	}
	return p.add(differences(w.Resource, p.Image.Config(w.Resource), set)...)
}

// scope checks that the resource exists and says which configs it has.
func (p *plan) scope(r metadata.Resource) (kafkaconf.Scope, *Error) {
	switch r.Type {
	case metadata.TopicResource:
		if _, ok := p.Image.Topic(r.Name); !ok {
			return 0, unknownTopic(r.Name)
		}
		return kafkaconf.TopicScope, nil
	case metadata.BrokerResource:
		return kafkaconf.BrokerScope, p.brokerExists(r.Name)
	case metadata.GroupResource:
		if r.Name == "" {
			return 0, refuse(kerr.InvalidRequest, "a group needs a name")
		}
		return kafkaconf.GroupScope, nil
	}
	return 0, refuse(kerr.InvalidRequest, "resources of type %d have no configs that can be changed; topics (2), brokers (4) and groups (32) do", r.Type)
}

// brokerExists checks a broker resource's name: an id, or "" for all brokers.
func (p *plan) brokerExists(name string) *Error {
	if name == "" {
		return nil
	}
	id, err := strconv.ParseInt(name, 10, 32)
	if err != nil || strconv.FormatInt(id, 10) != name {
		return refuse(kerr.InvalidRequest, "broker %q: a broker is named by its id, all of them by the empty name", name)
	}
	if _, ok := p.Image.Broker(int32(id)); !ok {
		return refuse(kerr.BrokerIDNotRegistered, "there is no broker %d", id)
	}
	return nil
}

// mayUpdate refuses broker configs that cannot change while the broker runs.
// Names that are no config are found by Validate.
func mayUpdate(scope kafkaconf.Scope, r metadata.Resource, name string) *Error {
	k, ok := kafkaconf.Lookup(scope, name)
	if !ok || scope != kafkaconf.BrokerScope {
		return nil
	}
	switch {
	case k.Update == kafkaconf.ReadOnly:
		return refuse(kerr.InvalidConfig, "config %s is read when a broker starts; set it in its configuration file and restart it", name)
	case k.Update == kafkaconf.PerBroker && r.Name == "":
		return refuse(kerr.InvalidConfig, "config %s can only be set for single brokers", name)
	}
	return nil
}

// operate applies one operation to the set of configs.
func (p *plan) operate(scope kafkaconf.Scope, r metadata.Resource, op ConfigOp, set map[string]string) *Error {
	if op.Op == OpDelete {
		delete(set, op.Name)
		return nil
	}
	if op.Value == nil {
		return refuse(kerr.InvalidRequest, "config %s has no value; use DELETE to go back to the default", op.Name)
	}
	switch op.Op {
	case OpSet:
		set[op.Name] = *op.Value
		return nil
	case OpAppend, OpSubtract:
		return p.operateList(scope, r, op, set)
	case OpDelete:
	}
	return refuse(kerr.InvalidRequest, "config %s: unknown operation %d; there are SET (0), DELETE (1), APPEND (2) and SUBTRACT (3)", op.Name, op.Op)
}

// operateList adds to or takes from a list: the resource's own or, where it
// has none, the one that holds for it.
func (p *plan) operateList(scope kafkaconf.Scope, r metadata.Resource, op ConfigOp, set map[string]string) *Error {
	k, ok := kafkaconf.Lookup(scope, op.Name)
	if !ok {
		return refuse(kerr.InvalidConfig, "%v", kafkaconf.Unknown(scope, op.Name))
	}
	if k.Type != kafkaconf.List {
		return refuse(kerr.InvalidConfig, "config %s is a %s; APPEND and SUBTRACT are for lists", op.Name, k.Type)
	}
	have, own := set[op.Name]
	if !own {
		e, _ := p.Image.TopicLayers(r.Name, metadata.NoLeader, p.Rules.Static).Resolve(scope, op.Name)
		have = e.Value
	}
	if op.Op == OpAppend {
		set[op.Name] = kafkaconf.Append(have, *op.Value)
	} else {
		set[op.Name] = kafkaconf.Subtract(have, *op.Value)
	}
	return nil
}

// differences are the records that turn one set of configs into another.
func differences(r metadata.Resource, from, to map[string]string) []metadata.Record {
	var records []metadata.Record
	for _, name := range slices.Sorted(maps.Keys(from)) {
		if _, ok := to[name]; !ok {
			records = append(records, &metadata.ConfigChange{Resource: r, Name: name})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(to)) {
		if old, ok := from[name]; !ok || old != to[name] {
			records = append(records, &metadata.ConfigChange{Resource: r, Name: name, Value: new(to[name])})
		}
	}
	return records
}
