package controller

import (
	"maps"
	"math"
	"net/netip"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace-io/millrace/broker/internal/metadata"
)

// Types of the parts of a quota's entity, as on the wire.
const (
	UserEntity     = "user"
	ClientIDEntity = "client-id"
	IPEntity       = "ip"
)

// EntityPart is a part of an entity as a request gives it; the null name is
// the default of its type.
type EntityPart struct {
	Type string
	Name *string
}

// QuotaOp sets a quota or, with Remove, takes it away.
type QuotaOp struct {
	Key    string
	Value  float64
	Remove bool
}

// AlterQuota asks for changes to the quotas of one entity.
type AlterQuota struct {
	Entity []EntityPart
	Ops    []QuotaOp
}

// AlterClientQuotas changes quotas (KIP-546). The errors answer for the wishes
// in order; an entity is changed as a whole or not at all.
func (s State) AlterClientQuotas(wishes []AlterQuota, validateOnly bool) ([]metadata.Record, []*Error) {
	p := s.plan()
	results := make([]*Error, len(wishes))
	named := make(map[metadata.QuotaEntity]bool)
	for i, w := range wishes {
		entity, err := QuotaEntity(w.Entity)
		switch {
		case err != nil:
		case named[entity]:
			err = refuse(kerr.InvalidRequest, "an entity occurs twice in the request")
		default:
			named[entity] = true
			err = p.alterQuota(entity, w.Ops)
		}
		results[i] = err
	}
	if validateOnly {
		return nil, results
	}
	return p.records, results
}

// QuotaEntity reads an entity from the parts that a request gives.
func QuotaEntity(parts []EntityPart) (metadata.QuotaEntity, *Error) {
	var e metadata.QuotaEntity
	if len(parts) == 0 {
		return e, refuse(kerr.InvalidRequest, "an entity needs a user, a client-id or an ip")
	}
	for _, part := range parts {
		name, err := PartOf(&e, part.Type)
		switch {
		case err != nil:
			return e, err
		case name.Kind != metadata.Absent:
			return e, refuse(kerr.InvalidRequest, "an entity has only one %s", part.Type)
		case part.Name == nil:
			name.Kind = metadata.Defaults
		case *part.Name == "":
			return e, refuse(kerr.InvalidRequest, "the empty %s has no quotas; null is the default's name", part.Type)
		default:
			*name = metadata.EntityName{Kind: metadata.Named, Name: *part.Name}
		}
	}
	return e, checkAddress(&e)
}

// PartOf is the part of an entity for a type of the wire.
func PartOf(e *metadata.QuotaEntity, kind string) (*metadata.EntityName, *Error) {
	switch kind {
	case UserEntity:
		return &e.User, nil
	case ClientIDEntity:
		return &e.ClientID, nil
	case IPEntity:
		return &e.IP, nil
	}
	return nil, refuse(kerr.InvalidRequest, "there are no quotas of a %q; there are those of a user, a client-id and an ip", kind)
}

func checkAddress(e *metadata.QuotaEntity) *Error {
	if e.IP.Kind == metadata.Absent {
		return nil
	}
	if e.User.Kind != metadata.Absent || e.ClientID.Kind != metadata.Absent {
		return refuse(kerr.InvalidRequest, "an ip stands for itself, without user and client-id")
	}
	if e.IP.Kind == metadata.Named {
		address, err := netip.ParseAddr(e.IP.Name)
		if err != nil {
			return refuse(kerr.InvalidRequest, "%q is no IP address", e.IP.Name)
		}
		e.IP.Name = address.Unmap().String()
	}
	return nil
}

func (p *plan) alterQuota(e metadata.QuotaEntity, ops []QuotaOp) *Error {
	have := p.Image.Quota(e)
	want := maps.Clone(have)
	if want == nil {
		want = make(map[string]float64)
	}
	for op, again := range once(ops, func(op QuotaOp) string { return op.Key }) {
		if again {
			return refuse(kerr.InvalidRequest, "quota %s occurs twice for one entity", op.Key)
		}
		if err := checkQuota(e, op); err != nil {
			return err
		}
		if op.Remove {
			delete(want, op.Key)
		} else {
			want[op.Key] = op.Value
		}
	}
	return p.add(quotaChanges(e, have, want)...)
}

// quotaChanges are the records that turn one set of quotas into another.
func quotaChanges(e metadata.QuotaEntity, from, to map[string]float64) []metadata.Record {
	var records []metadata.Record
	for _, key := range slices.Sorted(maps.Keys(from)) {
		if _, ok := to[key]; !ok {
			records = append(records, &metadata.QuotaChange{Entity: e, Key: key})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(to)) {
		if old, ok := from[key]; !ok || old != to[key] {
			records = append(records, &metadata.QuotaChange{Entity: e, Key: key, Value: new(to[key])})
		}
	}
	return records
}

// quotaKey is a quota that can be set, and for whom.
type quotaKey struct {
	name  string
	ip    bool    // of addresses, else of users and client ids
	whole bool    // of whole numbers
	max   float64 // the largest value
}

var quotaKeys = []quotaKey{
	{name: "producer_byte_rate", whole: true, max: math.MaxInt64},
	{name: "consumer_byte_rate", whole: true, max: math.MaxInt64},
	{name: "request_percentage", max: math.MaxFloat64},
	{name: "controller_mutation_rate", max: math.MaxFloat64},
	{name: "connection_creation_rate", ip: true, whole: true, max: math.MaxInt32},
}

func checkQuota(e metadata.QuotaEntity, op QuotaOp) *Error {
	at := slices.IndexFunc(quotaKeys, func(k quotaKey) bool { return k.name == op.Key })
	if at < 0 || quotaKeys[at].ip != (e.IP.Kind != metadata.Absent) {
		return refuse(kerr.InvalidRequest, "there is no quota %q for this entity: an ip has connection_creation_rate, users and client ids have producer_byte_rate, consumer_byte_rate, request_percentage and controller_mutation_rate", op.Key)
	}
	k := quotaKeys[at]
	switch {
	case op.Remove:
		return nil
	case !(op.Value > 0) || op.Value > k.max: // NaN is neither
		return refuse(kerr.InvalidRequest, "quota %s must be above 0 and at most %g, not %g", op.Key, k.max, op.Value)
	case k.whole && op.Value != math.Trunc(op.Value):
		return refuse(kerr.InvalidRequest, "quota %s must be a whole number, not %g", op.Key, op.Value)
	}
	return nil
}
