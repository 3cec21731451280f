package txn

import "github.com/twmb/franz-go/pkg/kmsg"

// A Phase is where a transactional id stands. Kafka calls it the transaction's
// state; numbers are those of its records, names those of ListTransactions.
type Phase int8

const (
	// Empty: a producer owns the id and has no transaction yet.
	Empty Phase = 0
	// Ongoing: partitions belong to a transaction, since Started.
	Ongoing Phase = 1
	// PrepareCommit: decided, the markers are being written.
	PrepareCommit Phase = 2
	// PrepareAbort: the same, for an abort.
	PrepareAbort Phase = 3
	// CompleteCommit: every partition has its marker.
	CompleteCommit Phase = 4
	// CompleteAbort: the same, for an abort.
	CompleteAbort Phase = 5
	// Dead: expired. The caller forgets the State.
	Dead Phase = 6
	// PrepareEpochFence is known by name only; see the package's page.
	PrepareEpochFence Phase = 7
)

func (p Phase) String() string { return kmsg.TransactionState(p).String() }

// ParsePhase finds a phase by its exact name.
func ParsePhase(name string) (Phase, bool) {
	for p := Empty; p <= PrepareEpochFence; p++ {
		if p.String() == name {
			return p, true
		}
	}
	return 0, false
}

// prepared reports whether the outcome is decided and not yet everywhere.
func (p Phase) prepared() bool { return p == PrepareCommit || p == PrepareAbort }

func prepare(commit bool) Phase {
	if commit {
		return PrepareCommit
	}
	return PrepareAbort
}

func complete(commit bool) Phase {
	if commit {
		return CompleteCommit
	}
	return CompleteAbort
}
