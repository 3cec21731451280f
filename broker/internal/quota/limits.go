package quota

import (
	"github.com/millrace-io/millrace/broker/internal/metadata"
)

// Kind is what a quota limits.
type Kind uint8

// The kinds of quotas.
const (
	Produce    Kind = iota // bytes of Produce requests per second
	Fetch                  // bytes of Fetch responses per second
	Request                // the broker's time, in percent of one CPU
	Mutation               // partitions created and deleted per second
	Connection             // new connections per second, by address
	kinds
)

// keys are the names of the quotas, by kind.
var keys = [kinds]string{
	Produce: "producer_byte_rate", Fetch: "consumer_byte_rate", Request: "request_percentage",
	Mutation: "controller_mutation_rate", Connection: "connection_creation_rate",
}

// Key is the name under which the quota is set.
func (k Kind) Key() string { return keys[k] }

// perSecond turns a quota's value into what a bucket gets each second.
func (k Kind) perSecond(value float64) float64 {
	if k == Request {
		return value / 100 // percent to seconds of time
	}
	return value
}

// Client is who sends a request.
type Client struct {
	User string
	ID   string
}

// Limits are the quotas of one image. It never changes. A nil Limits limits
// nothing.
type Limits struct {
	clients   [kinds]map[pair]float64
	addresses map[metadata.EntityName]float64
}

// pair is an entity of users and client ids.
type pair struct{ user, client metadata.EntityName }

// LimitsOf reads the quotas of an image; nil where it has none.
func LimitsOf(image *metadata.Image) *Limits {
	var l *Limits
	for entity, set := range image.Quotas() {
		if l == nil {
			l = &Limits{addresses: make(map[metadata.EntityName]float64)}
		}
		for kind, key := range keys {
			value, ok := set[key]
			switch {
			case !ok:
			case Kind(kind) == Connection:
				l.addresses[entity.IP] = value
			default:
				l.set(Kind(kind), pair{entity.User, entity.ClientID}, value)
			}
		}
	}
	return l
}

func (l *Limits) set(kind Kind, who pair, value float64) {
	if l.clients[kind] == nil {
		l.clients[kind] = make(map[pair]float64)
	}
	l.clients[kind][who] = kind.perSecond(value)
}

// owner is whose bucket is charged. A part that the matching entity does not
// name is empty: all of its clients, or users, share the bucket.
type owner struct {
	kind         Kind
	user, client string
}

// match finds the rate that holds for a client, and the bucket.
func (l *Limits) match(kind Kind, c Client) (owner, float64, bool) {
	rates := l.clients[kind]
	if len(rates) == 0 {
		return owner{}, 0, false
	}
	user := metadata.EntityName{Kind: metadata.Named, Name: c.User}
	id := metadata.EntityName{Kind: metadata.Named, Name: c.ID}
	all := metadata.EntityName{Kind: metadata.Defaults}
	none := metadata.EntityName{}
	for _, who := range [...]pair{
		{user, id}, {user, all}, {user, none},
		{all, id}, {all, all}, {all, none},
		{none, id}, {none, all},
	} {
		rate, ok := rates[who]
		if !ok {
			continue
		}
		o := owner{kind: kind}
		if who.user != none {
			o.user = c.User
		}
		if who.client != none {
			o.client = c.ID
		}
		return o, rate, true
	}
	return owner{}, 0, false
}

// address finds the rate of new connections from an address.
func (l *Limits) address(ip string) (owner, float64, bool) {
	rate, ok := l.addresses[metadata.EntityName{Kind: metadata.Named, Name: ip}]
	if !ok {
		rate, ok = l.addresses[metadata.EntityName{Kind: metadata.Defaults}]
	}
	return owner{kind: Connection, client: ip}, rate, ok
}
