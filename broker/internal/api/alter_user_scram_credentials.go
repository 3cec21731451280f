package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/controller"
	"github.com/millrace-io/millrace/broker/internal/metadata"
)

// AlterUserSCRAMCredentials (key 51, v0; KIP-554) sets and removes the SCRAM
// credentials of users, all changes of a user or none.
//
// The client sends the salted password; what is kept of it is derived at once.
// Credentials are stored and described; no listener asks for them yet.

func (b *Broker) alterUserScramCredentials(c call, req *kmsg.AlterUserSCRAMCredentialsRequest) *kmsg.AlterUserSCRAMCredentialsResponse {
	resp := kmsg.NewPtrAlterUserSCRAMCredentialsResponse()
	var wishes []controller.ScramWish
	user := func(name string, mechanism int8) metadata.ScramUser {
		return metadata.ScramUser{Name: name, Mechanism: metadata.ScramMechanism(mechanism)}
	}
	for _, d := range req.Deletions {
		wishes = append(wishes, controller.ScramWish{User: user(d.Name, d.Mechanism), Remove: true})
	}
	for _, u := range req.Upsertions {
		wishes = append(wishes, controller.ScramWish{
			User: user(u.Name, u.Mechanism), Iterations: u.Iterations, Salt: u.Salt, SaltedPassword: u.SaltedPassword,
		})
	}
	add := func(user string, code int16, message *string) {
		r := kmsg.NewAlterUserSCRAMCredentialsResponseResult()
		r.User, r.ErrorCode, r.ErrorMessage = user, code, message
		resp.Results = append(resp.Results, r)
	}
	ctx, cancel := context.WithTimeout(c.ctx, alterTimeout)
	defer cancel()
	results, err := b.Controller.AlterScram(ctx, wishes)
	if err != nil {
		code, message := adminError(err)
		for _, w := range wishes {
			add(w.User.Name, code, message)
		}
		return resp
	}
	for _, r := range results {
		code, message := refusal(r.Err)
		add(r.User, code, message)
	}
	return resp
}
