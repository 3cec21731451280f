package metadata

import (
	"cmp"
	"encoding/binary"
	"iter"
	"strings"
)

// ScramMechanism is a SCRAM mechanism by its number in Kafka's protocol.
type ScramMechanism byte

// The mechanisms.
const (
	ScramSHA256 ScramMechanism = 1
	ScramSHA512 ScramMechanism = 2
)

// ScramUser is a user as one mechanism knows it.
type ScramUser struct {
	Name      string
	Mechanism ScramMechanism
}

// ScramCredential is what a server keeps of a password (RFC 5802): enough to
// check it, not enough to log in with.
type ScramCredential struct {
	Salt, StoredKey, ServerKey []byte
	Iterations                 int32
}

// ScramChange sets a credential; a nil Credential takes it away.
type ScramChange struct {
	User       ScramUser
	Credential *ScramCredential
}

func (*ScramChange) kind() kind { return kindScramChange }

func (r *ScramChange) encode(b []byte) []byte {
	b = append(appendString(b, r.User.Name), byte(r.User.Mechanism))
	b = appendBool(b, r.Credential != nil)
	if c := r.Credential; c != nil {
		for _, part := range [][]byte{c.Salt, c.StoredKey, c.ServerKey} {
			b = appendString(b, string(part))
		}
		b = binary.AppendVarint(b, int64(c.Iterations))
	}
	return b
}

func (r *ScramChange) decode(d *decoder) {
	r.User.Name = d.string()
	r.User.Mechanism = ScramMechanism(d.byte())
	if r.User.Mechanism != ScramSHA256 && r.User.Mechanism != ScramSHA512 {
		d.fail()
	}
	if d.bool() {
		r.Credential = &ScramCredential{
			Salt: []byte(d.string()), StoredKey: []byte(d.string()), ServerKey: []byte(d.string()), Iterations: d.int32(),
		}
	}
}

func (r *ScramChange) apply(d *Delta) error {
	if r.Credential == nil {
		d.next.scram = d.next.scram.without(r.User)
	} else {
		d.next.scram = d.next.scram.with(r.User, r.Credential)
	}
	d.scram = true
	return nil
}

// Scram is the credential of a user for a mechanism.
func (i *Image) Scram(u ScramUser) (*ScramCredential, bool) { return i.scram.find(u) }

// Scrams iterates over all credentials, by user and mechanism.
func (i *Image) Scrams() iter.Seq2[ScramUser, *ScramCredential] {
	return func(yield func(ScramUser, *ScramCredential) bool) {
		for u, c := range i.scram.all() {
			if !yield(u, c) {
				return
			}
		}
	}
}

// Scram reports whether a credential changed.
func (d *Delta) Scram() bool { return d.scram }

func (i *Image) dumpScram(yield func(Record) bool) bool {
	for u, c := range i.Scrams() {
		if !yield(&ScramChange{u, c}) {
			return false
		}
	}
	return true
}

type byScramUser struct{}

func (byScramUser) compare(a, b ScramUser) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.Mechanism, b.Mechanism))
}

func (byScramUser) hash(u ScramUser) uint64 { return fnv(fnvBasis^uint64(u.Mechanism), u.Name) }
