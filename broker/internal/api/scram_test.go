package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func alterScram(c *client, deletions []kmsg.AlterUserSCRAMCredentialsRequestDeletion, upsertions ...kmsg.AlterUserSCRAMCredentialsRequestUpsertion) string {
	c.t.Helper()
	req := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
	req.Deletions, req.Upsertions = deletions, upsertions
	var out []string
	for _, r := range ask[*kmsg.AlterUserSCRAMCredentialsResponse](c, req).Results {
		out = append(out, fmt.Sprintf("%s:%v", r.User, kerr.ErrorForCode(r.ErrorCode)))
	}
	return strings.Join(out, " ")
}

func describeScram(c *client, users ...string) string {
	c.t.Helper()
	req := kmsg.NewPtrDescribeUserSCRAMCredentialsRequest()
	for _, u := range users {
		req.Users = append(req.Users, kmsg.DescribeUserSCRAMCredentialsRequestUser{Name: u})
	}
	var out []string
	for _, r := range ask[*kmsg.DescribeUserSCRAMCredentialsResponse](c, req).Results {
		text := r.User
		if r.ErrorCode != 0 {
			text += ":" + kerr.TypedErrorForCode(r.ErrorCode).Message
		}
		for _, info := range r.CredentialInfos {
			text += fmt.Sprintf(" %d/%d", info.Mechanism, info.Iterations)
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// Credentials are described by mechanism and iterations, and nothing that
// would help to guess a password leaves the broker.
func TestItem97_ScramCredentialsAreDescribed(t *testing.T) {
	c := start(t, setup{}).client(t)
	upsert := func(user string, mechanism int8, iterations int32) kmsg.AlterUserSCRAMCredentialsRequestUpsertion {
		return kmsg.AlterUserSCRAMCredentialsRequestUpsertion{Name: user, Mechanism: mechanism, Iterations: iterations, Salt: []byte("s"), SaltedPassword: []byte("p")}
	}
	if got := alterScram(c, nil, upsert("b", 2, 15000), upsert("a", 1, 4096), upsert("b", 1, 8192)); got != "b:<nil> a:<nil>" {
		t.Fatal(got)
	}
	for _, test := range []struct {
		users []string
		want  string
	}{
		{nil, "a 1/4096, b 1/8192 2/15000"},
		{[]string{"b"}, "b 1/8192 2/15000"},
		{[]string{"c", "a"}, "c:RESOURCE_NOT_FOUND, a 1/4096"},
		{[]string{"a", "a"}, "a:DUPLICATE_RESOURCE"},
	} {
		if got := describeScram(c, test.users...); got != test.want {
			t.Errorf("%v: %q, want %q", test.users, got, test.want)
		}
	}
	if got := alterScram(c, []kmsg.AlterUserSCRAMCredentialsRequestDeletion{{Name: "a", Mechanism: 1}}); got != "a:<nil>" {
		t.Error(got)
	}
	if got := describeScram(c, "a"); got != "a:RESOURCE_NOT_FOUND" {
		t.Errorf("after the deletion: %q", got)
	}
}
