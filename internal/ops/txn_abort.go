package ops

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

func byPlace(a, b OpenTransaction) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.StartOffset, b.StartOffset))
}

// coordinated parts the transactions that their coordinators have, and so will
// end, from those that hang.
func (c *Cluster) coordinated(ctx context.Context, open []OpenTransaction) (known, hanging []OpenTransaction, err error) {
	ids, err := c.transactionalIDs(ctx, open)
	if err != nil {
		return nil, nil, err
	}
	described := kadm.DescribedTransactions{}
	if len(ids) > 0 {
		var names []string
		for _, name := range ids {
			names = append(names, name)
		}
		if described, err = c.admin.DescribeTransactions(ctx, names...); err != nil {
			return nil, nil, c.explain("describe transactions", err)
		}
	}
	for _, t := range open {
		t.TransactionalID = ids[t.ProducerID]
		d := described[t.TransactionalID]
		if d.Err != nil && !errors.Is(d.Err, kerr.TransactionalIDNotFound) {
			return nil, nil, c.explain("describe transaction "+t.TransactionalID, d.Err)
		}
		if d.ProducerID == t.ProducerID && d.Topics.Lookup(t.Topic, t.Partition) {
			known = append(known, t)
		} else {
			hanging = append(hanging, t)
		}
	}
	return known, hanging, nil
}

// transactionalIDs finds who the producers are. A coordinator that does not
// answer fails it: its transactions would seem to be nobody's.
func (c *Cluster) transactionalIDs(ctx context.Context, open []OpenTransaction) (map[int64]string, error) {
	ids := map[int64]string{}
	for _, t := range open {
		ids[t.ProducerID] = ""
	}
	if len(ids) == 0 {
		return ids, nil // kadm would list all there are
	}
	var producers []int64
	for id := range ids {
		producers = append(producers, id)
	}
	listed, err := c.admin.ListTransactions(ctx, producers, nil)
	if err != nil {
		return nil, c.explain("list transactions", err)
	}
	clear(ids)
	for _, t := range listed {
		ids[t.ProducerID] = t.TxnID
	}
	return ids, nil
}

// stillOpen drops what has ended since it was seen: between two questions a
// transaction may have come to its regular end.
func (c *Cluster) stillOpen(ctx context.Context, seen []OpenTransaction) ([]OpenTransaction, error) {
	set := kadm.TopicsSet{}
	for _, t := range seen {
		set.Add(t.Topic, t.Partition)
	}
	open, err := c.openTransactions(ctx, set)
	if err != nil {
		return nil, err
	}
	still := []OpenTransaction{}
	for _, t := range seen {
		for _, u := range open {
			if t.same(u) {
				still = append(still, t)
			}
		}
	}
	return still, nil
}

// Abort names a transaction to abort.
type Abort struct {
	TopicPartition
	StartOffset int64
	// Force aborts also what a coordinator has. The transaction may then be
	// committed in other partitions.
	Force bool
}

// TransactionToAbort finds what Abort names, and refuses what will end by
// itself.
func (c *Cluster) TransactionToAbort(ctx context.Context, a Abort) (OpenTransaction, error) {
	set := kadm.TopicsSet{}
	set.Add(a.Topic, a.Partition)
	open, err := c.openTransactions(ctx, set)
	if err != nil {
		return OpenTransaction{}, err
	}
	var starts []string
	for _, t := range open {
		if t.StartOffset != a.StartOffset {
			starts = append(starts, fmt.Sprint(t.StartOffset))
			continue
		}
		known, _, err := c.coordinated(ctx, []OpenTransaction{t})
		switch {
		case err != nil:
			return OpenTransaction{}, err
		case len(known) > 0 && !a.Force:
			return OpenTransaction{}, coordinatedFault(known[0])
		case len(known) > 0:
			t = known[0]
		}
		return t, nil
	}
	return OpenTransaction{}, notOpen(a, starts)
}

func coordinatedFault(t OpenTransaction) *Fault {
	return &Fault{
		Kind: Conflict, Code: CodeCoordinated,
		Message: fmt.Sprintf("abort the transaction at offset %d of partition %d of %s: its coordinator has it, as %s", t.StartOffset, t.Partition, t.Topic, t.TransactionalID),
		Hint:    "it ends when its producer ends it or at its timeout; aborted in one partition, it may be committed in others",
		Try:     "millrace txn describe " + t.TransactionalID + ", or --force",
	}
}

func notOpen(a Abort, starts []string) *Fault {
	hint := "no transaction is open in this partition"
	if len(starts) > 0 {
		hint = "open transactions begin at " + strings.Join(starts, ", ")
	}
	return &Fault{
		Kind: NotFound, Code: CodeNoTransaction,
		Message: fmt.Sprintf("no open transaction begins at offset %d of partition %d of %s", a.StartOffset, a.Partition, a.Topic),
		Hint:    hint, Try: "millrace txn find-hanging --topic " + a.Topic,
	}
}

// AbortTransaction writes the marker that ends a transaction in its partition.
func (c *Cluster) AbortTransaction(ctx context.Context, t OpenTransaction) error {
	doing := fmt.Sprintf("abort the transaction at offset %d of partition %d of %s", t.StartOffset, t.Partition, t.Topic)
	set := kadm.TopicsSet{}
	set.Add(t.Topic, t.Partition)
	written, err := c.admin.WriteTxnMarkers(ctx, kadm.TxnMarkers{
		ProducerID: t.ProducerID, ProducerEpoch: t.ProducerEpoch,
		// A partition without a marker of this producer has seen no
		// coordinator yet, and takes any.
		CoordinatorEpoch: max(0, t.CoordinatorEpoch),
		Topics:           set,
	})
	if err == nil {
		marked, ok := written[t.ProducerID].Topics[t.Topic].Partitions[t.Partition]
		if err = marked.Err; !ok {
			err = errors.New("the broker did not answer for the partition")
		}
	}
	return c.explain(doing, err)
}
