package controller

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"hash"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace-io/millrace/broker/internal/metadata"
)

// The number of iterations that Kafka allows a credential.
const (
	minScramIterations = 4096
	maxScramIterations = 16384
)

// ScramWish sets a credential from a salted password, or without one takes it
// away (KIP-554).
type ScramWish struct {
	User           metadata.ScramUser
	Remove         bool
	Iterations     int32
	Salt           []byte
	SaltedPassword []byte
}

// ScramResult answers for one user.
type ScramResult struct {
	User string
	Err  *Error
}

// AlterScram changes credentials, all that a user's wishes ask for or none.
// The results are in the order in which the request names the users.
func (s State) AlterScram(wishes []ScramWish) ([]metadata.Record, []ScramResult) {
	p := s.plan()
	var results []ScramResult
	for w := range once(wishes, func(w ScramWish) string { return w.User.Name }) {
		var own []ScramWish
		for _, other := range wishes {
			if other.User.Name == w.User.Name {
				own = append(own, other)
			}
		}
		results = append(results, ScramResult{w.User.Name, p.alterScram(own)})
	}
	return p.records, results
}

// alterScram changes the credentials of one user.
func (p *plan) alterScram(wishes []ScramWish) *Error {
	var records []metadata.Record
	for w, again := range once(wishes, func(w ScramWish) metadata.ScramMechanism { return w.User.Mechanism }) {
		if again {
			return refuse(kerr.DuplicateResource, "a credential of user %q is changed twice in the request", w.User.Name)
		}
		if err := p.checkScram(w); err != nil {
			return err
		}
		r := &metadata.ScramChange{User: w.User}
		if !w.Remove {
			r.Credential = scramCredential(w)
		}
		records = append(records, r)
	}
	return p.add(records...)
}

func (p *plan) checkScram(w ScramWish) *Error {
	_, exists := p.Image.Scram(w.User)
	switch {
	case w.User.Name == "":
		return refuse(kerr.UnacceptableCredential, "a user needs a name")
	case scramHash(w.User.Mechanism) == nil:
		return refuse(kerr.UnsupportedSaslMechanism, "there is no mechanism %d: 1 is SCRAM-SHA-256, 2 is SCRAM-SHA-512", w.User.Mechanism)
	case w.Remove && !exists:
		return refuse(kerr.ResourceNotFound, "user %q has no such credential", w.User.Name)
	case w.Remove:
		return nil
	case w.Iterations < minScramIterations || w.Iterations > maxScramIterations:
		return refuse(kerr.UnacceptableCredential, "%d iterations: need %d to %d", w.Iterations, minScramIterations, maxScramIterations)
	}
	return nil
}

func scramHash(m metadata.ScramMechanism) func() hash.Hash {
	switch m {
	case metadata.ScramSHA256:
		return sha256.New
	case metadata.ScramSHA512:
		return sha512.New
	}
	return nil
}

// scramCredential derives what a server keeps (RFC 5802, section 3). The
// salted password itself would let whoever reads the metadata log in.
func scramCredential(w ScramWish) *metadata.ScramCredential {
	h := scramHash(w.User.Mechanism)
	keyed := func(text string) []byte {
		mac := hmac.New(h, w.SaltedPassword)
		mac.Write([]byte(text))
		return mac.Sum(nil)
	}
	stored := h()
	stored.Write(keyed("Client Key"))
	return &metadata.ScramCredential{
		Salt: w.Salt, StoredKey: stored.Sum(nil), ServerKey: keyed("Server Key"), Iterations: w.Iterations,
	}
}
