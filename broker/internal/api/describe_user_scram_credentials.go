package api

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeUserSCRAMCredentials (key 50, v0; KIP-554) lists mechanisms and
// iterations of users' credentials, of all users where none is named.

func (b *Broker) describeUserScramCredentials(_ call, req *kmsg.DescribeUserSCRAMCredentialsRequest) *kmsg.DescribeUserSCRAMCredentialsResponse {
	resp := kmsg.NewPtrDescribeUserSCRAMCredentialsResponse()
	users, known := b.scramUsers()
	if len(req.Users) > 0 {
		users = nil
	}
	asked := map[string]int{}
	for _, u := range req.Users {
		if asked[u.Name]++; asked[u.Name] == 1 {
			users = append(users, u.Name)
		}
	}
	for _, name := range users {
		r := kmsg.NewDescribeUserSCRAMCredentialsResponseResult()
		r.User = name
		infos, exists := known[name]
		switch {
		case asked[name] > 1:
			r.ErrorCode = kerr.DuplicateResource.Code
			r.ErrorMessage = new(fmt.Sprintf("user %q occurs %d times in the request", name, asked[name]))
		case !exists:
			r.ErrorCode = kerr.ResourceNotFound.Code
			r.ErrorMessage = new(fmt.Sprintf("user %q has no SCRAM credential", name))
		default:
			r.CredentialInfos = infos
		}
		resp.Results = append(resp.Results, r)
	}
	return resp
}

// scramUsers lists the users with credentials in order, and what they have.
func (b *Broker) scramUsers() (names []string, known map[string][]kmsg.DescribeUserSCRAMCredentialsResponseResultCredentialInfo) {
	known = map[string][]kmsg.DescribeUserSCRAMCredentialsResponseResultCredentialInfo{}
	for user, credential := range b.image().Scrams() {
		if _, ok := known[user.Name]; !ok {
			names = append(names, user.Name)
		}
		info := kmsg.NewDescribeUserSCRAMCredentialsResponseResultCredentialInfo()
		info.Mechanism, info.Iterations = int8(user.Mechanism), credential.Iterations
		known[user.Name] = append(known[user.Name], info)
	}
	return names, known
}
