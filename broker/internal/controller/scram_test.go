package controller

import (
	"encoding/base64"
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace-io/millrace/broker/internal/metadata"
)

// What is kept of a password lets a server check it and nobody log in. The
// numbers are those of the example of RFC 7677.
func TestScramCredentialOfTheRFC(t *testing.T) {
	decode := func(s string) []byte {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	c := scramCredential(ScramWish{
		User: metadata.ScramUser{Name: "user", Mechanism: metadata.ScramSHA256}, Iterations: 4096,
		SaltedPassword: decode("xKSVEDI6tPlSysH6mUQZOeeOp01r6B3fcJbodRPcYV0="),
	})
	for name, pair := range map[string][2]string{
		"stored key": {base64.StdEncoding.EncodeToString(c.StoredKey), "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="},
		"server key": {base64.StdEncoding.EncodeToString(c.ServerKey), "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s %s, want %s", name, pair[0], pair[1])
		}
	}
}

// A user's credentials change as a whole, and the limits are Kafka's.
func TestItem97_ScramCredentials(t *testing.T) {
	s := State{Image: &metadata.Image{}}
	set := func(user string, mechanism metadata.ScramMechanism, iterations int32) ScramWish {
		return ScramWish{User: metadata.ScramUser{Name: user, Mechanism: mechanism}, Iterations: iterations, Salt: []byte("s"), SaltedPassword: []byte("p")}
	}
	remove := func(user string, mechanism metadata.ScramMechanism) ScramWish {
		return ScramWish{User: metadata.ScramUser{Name: user, Mechanism: mechanism}, Remove: true}
	}
	for _, step := range []struct {
		wishes []ScramWish
		want   []*kerr.Error
		stored int
	}{
		{[]ScramWish{set("a", 1, 4096), set("a", 2, 16384), set("b", 1, 5000)}, []*kerr.Error{nil, nil}, 3},
		{[]ScramWish{set("c", 1, 4095)}, []*kerr.Error{kerr.UnacceptableCredential}, 3},
		{[]ScramWish{set("c", 1, 16385)}, []*kerr.Error{kerr.UnacceptableCredential}, 3},
		{[]ScramWish{set("", 1, 5000)}, []*kerr.Error{kerr.UnacceptableCredential}, 3},
		{[]ScramWish{set("c", 3, 5000)}, []*kerr.Error{kerr.UnsupportedSaslMechanism}, 3},
		{[]ScramWish{remove("b", 2)}, []*kerr.Error{kerr.ResourceNotFound}, 3},
		{[]ScramWish{remove("a", 1), set("a", 1, 5000)}, []*kerr.Error{kerr.DuplicateResource}, 3},
		{[]ScramWish{remove("a", 1), set("a", 2, 1)}, []*kerr.Error{kerr.UnacceptableCredential}, 3}, // neither
		{[]ScramWish{remove("a", 1), set("b", 1, 1)}, []*kerr.Error{nil, kerr.UnacceptableCredential}, 2},
		{[]ScramWish{remove("a", 2), remove("b", 1)}, []*kerr.Error{nil, nil}, 0},
	} {
		records, results := s.AlterScram(step.wishes)
		if len(results) != len(step.want) {
			t.Fatalf("%d results, want %d", len(results), len(step.want))
		}
		for i, want := range step.want {
			if got := results[i].Err; (got == nil) != (want == nil) || got != nil && !errors.Is(got, want) {
				t.Errorf("%+v: %v, want %v", step.wishes, got, want)
			}
		}
		d := s.Image.Edit(s.Image.Index()+1, 1)
		for _, r := range records {
			if err := d.Apply(r); err != nil {
				t.Fatal(err)
			}
		}
		s.Image = d.Finish()
		stored := 0
		for range s.Image.Scrams() {
			stored++
		}
		if stored != step.stored {
			t.Errorf("after %+v: %d credentials, want %d", step.wishes, stored, step.stored)
		}
	}
}
