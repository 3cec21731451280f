package metadata

import (
	"cmp"
	"encoding/binary"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"
)

// QuotaEntity is whom a quota limits (KIP-546): a user, a client id, both
// together, or an address.
type QuotaEntity struct {
	User     EntityName
	ClientID EntityName
	IP       EntityName
}

// EntityName is one part of a QuotaEntity. The zero EntityName is absent.
type EntityName struct {
	Kind NameKind
	Name string // where Kind is Named
}

// NameKind says what an EntityName names.
type NameKind uint8

// The kinds of names.
const (
	Absent   NameKind = 0 // the entity does not depend on it
	Defaults NameKind = 1 // all that have no quota of their own
	Named    NameKind = 2
)

// QuotaChange sets a quota of an entity; a nil Value takes it away.
type QuotaChange struct {
	Entity QuotaEntity
	Key    string
	Value  *float64
}

// parts gives the names in the order of the binary form.
func (e *QuotaEntity) parts() [3]*EntityName {
	return [...]*EntityName{&e.User, &e.ClientID, &e.IP}
}

func (*QuotaChange) kind() kind { return kindQuotaChange }

func (r *QuotaChange) encode(b []byte) []byte {
	for _, part := range r.Entity.parts() {
		if b = append(b, byte(part.Kind)); part.Kind == Named {
			b = appendString(b, part.Name)
		}
	}
	b = appendString(b, r.Key)
	b = appendBool(b, r.Value != nil)
	if r.Value != nil {
		b = binary.BigEndian.AppendUint64(b, math.Float64bits(*r.Value))
	}
	return b
}

func (r *QuotaChange) decode(d *decoder) {
	for _, part := range r.Entity.parts() {
		part.Kind = NameKind(d.byte())
		switch part.Kind {
		case Named:
			part.Name = d.string()
		case Absent, Defaults:
		default:
			d.fail()
		}
	}
	r.Key = d.string()
	if d.bool() {
		r.Value = new(d.float64())
	}
}

// float64 reads a finite number.
func (d *decoder) float64() float64 {
	const size = 8
	if len(d.b) < size {
		d.fail()
		return 0
	}
	v := math.Float64frombits(binary.BigEndian.Uint64(d.b))
	d.b = d.b[size:]
	if math.IsNaN(v) || math.IsInf(v, 0) {
		d.fail()
		return 0
	}
	return v
}

func (r *QuotaChange) apply(d *Delta) error {
	if r.Entity == (QuotaEntity{}) {
		return mismatch("quota %s of nobody", r.Key)
	}
	set := maps.Clone(d.next.Quota(r.Entity))
	if set == nil {
		set = make(map[string]float64)
	}
	if r.Value != nil {
		set[r.Key] = *r.Value
	} else {
		delete(set, r.Key)
	}
	if len(set) > 0 {
		d.next.quotas = d.next.quotas.with(r.Entity, set)
	} else {
		d.next.quotas = d.next.quotas.without(r.Entity)
	}
	d.quotas = true
	return nil
}

// Quota holds the quotas of an entity by key; nil where none is set.
func (i *Image) Quota(e QuotaEntity) map[string]float64 {
	set, _ := i.quotas.find(e)
	return set
}

// Quotas iterates over all entities that have quotas, in a fixed order.
func (i *Image) Quotas() iter.Seq2[QuotaEntity, map[string]float64] {
	return func(yield func(QuotaEntity, map[string]float64) bool) {
		for e, set := range i.quotas.all() {
			if !yield(e, set) {
				return
			}
		}
	}
}

// Quotas reports whether a quota changed.
func (d *Delta) Quotas() bool { return d.quotas }

func (i *Image) dumpQuotas(yield func(Record) bool) bool {
	for e, set := range i.Quotas() {
		for _, key := range slices.Sorted(maps.Keys(set)) {
			if !yield(&QuotaChange{e, key, new(set[key])}) {
				return false
			}
		}
	}
	return true
}

type byEntity struct{}

func (byEntity) compare(a, b QuotaEntity) int {
	for i, part := range a.parts() {
		other := b.parts()[i]
		if c := cmp.Or(cmp.Compare(part.Kind, other.Kind), strings.Compare(part.Name, other.Name)); c != 0 {
			return c
		}
	}
	return 0
}

func (byEntity) hash(e QuotaEntity) uint64 {
	h := uint64(fnvBasis)
	for _, part := range e.parts() {
		h = fnv(h^uint64(part.Kind), part.Name)
	}
	return h
}
