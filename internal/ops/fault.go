package ops

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Kind says what sort of thing went wrong; the command's exit code follows it.
type Kind int

// The kinds, with the command's exit codes.
const (
	Failed       Kind = 1 // the operation failed
	Usage        Kind = 2 // usage or configuration
	Unreachable  Kind = 3 // not reachable, or timed out
	Unauthorized Kind = 4 // not authorised
	NotFound     Kind = 5 // not found
	Conflict     Kind = 6 // conflict or incompatible
	Partial      Kind = 7 // done in part: each item says its result
)

// A Fault is an error that a person can act on.
type Fault struct {
	Kind Kind
	// Code is stable and explained in docs/errors.md.
	Code string
	// Message says what failed and where; Err is why.
	Message string
	Err     error
	// Hint explains, Try is a command or setting to try.
	Hint, Try string
}

func (f *Fault) Error() string {
	if f.Err == nil {
		return f.Message
	}
	return f.Message + ": " + reason(f.Err)
}

func (f *Fault) Unwrap() error { return f.Err }

// reason is the text of an error without the protocol's own prefix. What a
// broker says of a partition that it does not have means, to who named a
// topic, that there is none.
func reason(err error) string {
	var k *kerr.Error
	switch {
	case err == error(kerr.UnknownTopicOrPartition): //nolint:errorlint // alone: what wraps it says more
		return "no such topic (" + kerr.UnknownTopicOrPartition.Message + ")"
	case errors.As(err, &k) && err == error(k): //nolint:errorlint // alone, as above
		return fmt.Sprintf("%s (%s)", strings.TrimSuffix(k.Description, "."), k.Message)
	}
	return err.Error()
}

// The stable codes.
const (
	CodeFailed        = "MR-1000"
	CodeUnreachable   = "MR-1001"
	CodeTimeout       = "MR-1002"
	CodeAdvertised    = "MR-1003"
	CodeUnauthorized  = "MR-1004"
	CodePartial       = "MR-1005"
	CodeNoTopic       = "MR-1010"
	CodeTopicExists   = "MR-1011"
	CodeBadTopic      = "MR-1012"
	CodeReplication   = "MR-1013"
	CodeBadConfig     = "MR-1014"
	CodeNoGroup       = "MR-1020"
	CodeNoTransaction = "MR-1021"
	CodeCoordinated   = "MR-1022"
	CodeOffsets       = "MR-1030"
	CodeTooLarge      = "MR-1031"
	CodeUndecodable   = "MR-1032"
	CodeUsage         = "MR-2000"
	CodeConfigFile    = "MR-2001"
	CodeConfirm       = "MR-2002"
	CodeFile          = "MR-2003"
	CodeRegistry      = "MR-3000"
	CodeNoSubject     = "MR-3001"
	CodeIncompatible  = "MR-3002"
	CodeBadSchema     = "MR-3003"
	CodeUnencodable   = "MR-3004"
	CodeConnect       = "MR-4000"
	CodeNoConnector   = "MR-4001"
	CodeMirror        = "MR-5000"
	CodePort          = "MR-6000"
	CodeData          = "MR-6001"
)

// within is the fault with what the error that wraps it says of the place.
func (f *Fault) within(err error) error {
	g := *f
	g.Message = strings.TrimSuffix(err.Error(), f.Error()) + f.Message
	return &g
}

// explain turns an error of a client into a Fault about what was being done.
func (c *Cluster) explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	var f *Fault
	if errors.As(err, &f) {
		return f.within(err)
	}
	for _, e := range explanations {
		if errors.Is(err, e.err) {
			return &Fault{Kind: e.kind, Code: e.code, Message: doing, Err: unwrapKerr(err), Hint: e.hint, Try: e.try}
		}
	}
	if Unreached(err) {
		return c.unreachable(doing, err)
	}
	return &Fault{Kind: Failed, Code: CodeFailed, Message: doing, Err: unwrapKerr(err)}
}

func unwrapKerr(err error) error {
	var k *kerr.Error
	if errors.As(err, &k) {
		return k
	}
	return err
}

var explanations = []struct {
	err       error
	kind      Kind
	code      string
	hint, try string
}{
	{err: kerr.UnknownTopicOrPartition, kind: NotFound, code: CodeNoTopic, try: "millrace topic list"},
	{err: kerr.TopicAlreadyExists, kind: Conflict, code: CodeTopicExists, hint: "the name is taken", try: "millrace topic describe NAME"},
	{err: kerr.InvalidTopicException, kind: Usage, code: CodeBadTopic, hint: "names have 1 to 249 of a-z A-Z 0-9 . _ - and must not differ from another only in . and _"},
	{err: kerr.InvalidReplicationFactor, kind: Usage, code: CodeReplication, hint: "a partition cannot have more replicas than there are brokers", try: "--replication-factor -1, the broker's default"},
	{err: kerr.InvalidPartitions, kind: Usage, code: CodeBadTopic, hint: "a topic has at least one partition, and never fewer than before"},
	{err: kerr.InvalidConfig, kind: Usage, code: CodeBadConfig, hint: "the broker refused a topic config"},
	{err: kerr.GroupIDNotFound, kind: NotFound, code: CodeNoGroup, hint: "the cluster has no such group", try: "millrace group list"},
	{err: kerr.TransactionalIDNotFound, kind: NotFound, code: CodeNoTransaction, hint: "no coordinator has this transactional id", try: "millrace txn list"},
	{err: kerr.MessageTooLarge, kind: Failed, code: CodeTooLarge, hint: "a record is larger than max.message.bytes of the topic"},
	{err: kerr.TopicAuthorizationFailed, kind: Unauthorized, code: CodeUnauthorized},
	{err: kerr.GroupAuthorizationFailed, kind: Unauthorized, code: CodeUnauthorized},
	{err: kerr.TransactionalIDAuthorizationFailed, kind: Unauthorized, code: CodeUnauthorized},
	{err: kerr.ClusterAuthorizationFailed, kind: Unauthorized, code: CodeUnauthorized},
	{err: kerr.SaslAuthenticationFailed, kind: Unauthorized, code: CodeUnauthorized},
}

// Unreached reports whether an error says that no broker answered.
func Unreached(err error) bool {
	var netErr *net.OpError
	var dns *net.DNSError
	return errors.As(err, &netErr) || errors.As(err, &dns) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, kgo.ErrRecordTimeout) || errors.Is(err, net.ErrClosed)
}

// advertised returns the address that could not be reached where it is none of
// the profile's own, so one that a broker has told.
func (c *Cluster) advertised(err error) string {
	var dns *net.DNSError
	var dial *net.OpError
	var failed string
	switch {
	case errors.As(err, &dns):
		failed = dns.Name
	case errors.As(err, &dial) && dial.Op == "dial" && dial.Addr != nil:
		failed = dial.Addr.String()
	default:
		return ""
	}
	for _, own := range c.profile.Bootstrap {
		host, port, _ := net.SplitHostPort(own)
		if failed == host || failed == own || net.ParseIP(host) == nil && dns == nil && strings.HasSuffix(failed, ":"+port) {
			return "" // a name may stand for the address that failed
		}
	}
	return failed
}

func (c *Cluster) unreachable(doing string, err error) error {
	var dial *net.OpError
	if errors.As(err, &dial) {
		err = dial
	}
	if address := c.advertised(err); address != "" {
		return &Fault{
			Kind: Unreachable, Code: CodeAdvertised,
			Message: fmt.Sprintf("cannot %s: the broker at %s, advertised by %s, does not answer", doing, address, strings.Join(c.profile.Bootstrap, ", ")), Err: err,
			Hint: "the cluster was reached, but a broker of it tells clients an address that this machine cannot reach",
			Try:  "set broker.listeners[].advertise (advertised.listeners) to an address that it can",
		}
	}
	code := CodeUnreachable
	if errors.Is(err, context.DeadlineExceeded) {
		code = CodeTimeout
	}
	return &Fault{
		Kind: Unreachable, Code: code,
		Message: fmt.Sprintf("cannot %s: no broker of %s answers", doing, strings.Join(c.profile.Bootstrap, ", ")), Err: err,
		Hint: "is the cluster running, and is the address one that this machine can reach?",
		Try:  "millrace dev, or --bootstrap HOST:PORT",
	}
}
