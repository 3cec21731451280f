package api

import (
	"regexp"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/txn"
)

// ListTransactions (key 66, v0-2): the transactional ids that this node
// coordinates (KIP-664). Filters by state and by producer id hold where they
// are not empty; from v1 on those whose transaction lasts longer than a
// duration (KIP-994), from v2 on those whose whole id matches a pattern
// (KIP-1152), in RE2's syntax. Names of states that there are not are named in
// the answer.

func (b *Broker) listTransactions(_ call, req *kmsg.ListTransactionsRequest) *kmsg.ListTransactionsResponse {
	resp := kmsg.NewPtrListTransactionsResponse()
	f, err := newTransactionFilter(req, time.Now())
	if err != nil {
		resp.ErrorCode = kerr.InvalidRegularExpression.Code
		return resp
	}
	resp.UnknownStateFilters = f.unknown
	list, failed := b.Transactions.ListTransactions()
	if failed != nil {
		resp.ErrorCode = failed.Code
		return resp
	}
	for _, l := range list {
		if !f.matches(l) {
			continue
		}
		state := kmsg.NewListTransactionsResponseTransactionState()
		state.TransactionalID, state.ProducerID, state.TransactionState = l.ID, l.Producer, l.Phase.String()
		resp.TransactionStates = append(resp.TransactionStates, state)
	}
	return resp
}

// transactionFilter is what a request wants to see.
type transactionFilter struct {
	byPhase   bool
	phases    []txn.Phase
	unknown   []string
	producers []int64
	// longer is the duration; negative for any.
	longer  time.Duration
	pattern *regexp.Regexp
	now     time.Time
}

func newTransactionFilter(req *kmsg.ListTransactionsRequest, now time.Time) (*transactionFilter, error) {
	f := &transactionFilter{
		byPhase: len(req.StateFilters) > 0, producers: req.ProducerIDFilters,
		longer: time.Duration(req.DurationFilterMillis) * time.Millisecond, now: now,
	}
	for _, name := range req.StateFilters {
		if phase, ok := txn.ParsePhase(name); ok {
			f.phases = append(f.phases, phase)
		} else {
			f.unknown = append(f.unknown, name)
		}
	}
	if p := req.TransactionalIDPattern; p != nil && *p != "" {
		pattern, err := regexp.Compile(`^(?:` + *p + `)$`)
		if err != nil {
			return nil, err
		}
		f.pattern = pattern
	}
	return f, nil
}

func (f *transactionFilter) matches(l txn.Listing) bool {
	switch {
	case f.byPhase && !slices.Contains(f.phases, l.Phase),
		len(f.producers) > 0 && !slices.Contains(f.producers, l.Producer),
		f.longer >= 0 && (l.Started.IsZero() || f.now.Sub(l.Started) <= f.longer),
		f.pattern != nil && !f.pattern.MatchString(l.ID):
		return false
	}
	return true
}
