package ops

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// Transaction is a transactional id as lists show it.
type Transaction struct {
	ID          string `json:"transactional_id"`
	State       string `json:"state"`
	ProducerID  int64  `json:"producer_id"`
	Coordinator int32  `json:"coordinator"`
}

// TransactionDetail is a transactional id with its transaction.
type TransactionDetail struct {
	Transaction
	ProducerEpoch int16 `json:"producer_epoch"`
	TimeoutMS     int32 `json:"timeout_ms"`
	// Started is nil where no transaction was begun.
	Started *time.Time `json:"started,omitempty"`
	// Parts are those that the transaction has written to and that have no
	// marker of its end yet.
	Parts []TopicPartition `json:"partitions"`
}

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
}

// TransactionStates are the states of a transactional id, as coordinators name
// them.
func TransactionStates() []string {
	return []string{"Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "Dead", "PrepareEpochFence"}
}

// underWay are the states in which a transaction has begun and not ended.
var underWay = []string{"Ongoing", "PrepareCommit", "PrepareAbort", "PrepareEpochFence"}

// Transactions lists transactional ids: those in a state, unless that is empty,
// and with a longest above zero those whose transaction has been under way for
// longer.
func (c *Cluster) Transactions(ctx context.Context, state string, longest time.Duration) ([]Transaction, error) {
	const doing = "list transactions"
	var states []string
	if state != "" {
		states = []string{state}
	}
	listed, err := c.admin.ListTransactions(ctx, nil, states)
	if err != nil {
		return nil, c.explain(doing, err)
	}
	all := []Transaction{}
	for _, t := range listed.Sorted() {
		if state != "" && t.State != state { // brokers before Kafka 3.0 do not filter
			continue
		}
		all = append(all, Transaction{ID: t.TxnID, State: t.State, ProducerID: t.ProducerID, Coordinator: t.Coordinator})
	}
	if longest <= 0 {
		return all, nil
	}
	return c.longer(ctx, all, longest)
}

// longer keeps what has been under way for longer. The coordinator could filter
// too (KIP-994), but older ones would silently return everything.
func (c *Cluster) longer(ctx context.Context, all []Transaction, than time.Duration) ([]Transaction, error) {
	all = slices.DeleteFunc(all, func(t Transaction) bool { return !slices.Contains(underWay, t.State) })
	if len(all) == 0 {
		return all, nil // kadm would describe all there are
	}
	ids := make([]string, len(all))
	for i, t := range all {
		ids[i] = t.ID
	}
	described, err := c.admin.DescribeTransactions(ctx, ids...)
	if err != nil {
		return nil, c.explain("describe transactions", err)
	}
	now := time.Now()
	return slices.DeleteFunc(all, func(t Transaction) bool {
		d := described[t.ID]
		return d.Err != nil || d.StartTimestamp <= 0 || now.Sub(time.UnixMilli(d.StartTimestamp)) <= than
	}), nil
}

// DescribeTransaction returns what the coordinator of a transactional id has of
// it.
func (c *Cluster) DescribeTransaction(ctx context.Context, id string) (TransactionDetail, error) {
	doing := "describe transaction " + id
	all, err := c.admin.DescribeTransactions(ctx, id)
	if err == nil {
		err = all[id].Err
	}
	if err != nil {
		return TransactionDetail{}, c.explain(doing, err)
	}
	d := all[id]
	detail := TransactionDetail{
		Transaction:   Transaction{ID: id, State: d.State, ProducerID: d.ProducerID, Coordinator: d.Coordinator},
		ProducerEpoch: d.ProducerEpoch, TimeoutMS: d.TimeoutMillis, Parts: []TopicPartition{},
	}
	if d.StartTimestamp > 0 {
		started := time.UnixMilli(d.StartTimestamp).UTC()
		detail.Started = &started
	}
	for _, t := range d.Topics.Sorted() {
		for _, p := range t.Partitions {
			detail.Parts = append(detail.Parts, TopicPartition{Topic: t.Topic, Partition: p})
		}
	}
	return detail, nil
}

// OpenTransaction is a transaction that a partition waits for: consumers that
// read committed records stop at its start.
type OpenTransaction struct {
	TopicPartition
	StartOffset      int64 `json:"start_offset"`
	ProducerID       int64 `json:"producer_id"`
	ProducerEpoch    int16 `json:"producer_epoch"`
	CoordinatorEpoch int32 `json:"coordinator_epoch"`
	// LastWrite is the timestamp of the producer's last batch.
	LastWrite time.Time `json:"last_write"`
	// TransactionalID is the id that the producer has now, if any has it.
	TransactionalID string `json:"transactional_id,omitempty"`
}

// same reports whether both are one transaction in one partition.
func (t OpenTransaction) same(u OpenTransaction) bool {
	return t.TopicPartition == u.TopicPartition && t.ProducerID == u.ProducerID && t.StartOffset == u.StartOffset
}

// markerSlack is how long after its timeout a transaction may wait for its end.
const markerSlack = 5 * time.Minute

// maxTransactionTimeout is Kafka's default of transaction.max.timeout.ms.
const maxTransactionTimeout = 15 * time.Minute

// OldestTransaction is the age above which no transaction should be open: the
// broker's transaction.max.timeout.ms, or Kafka's default of it where that
// cannot be read, and some time for the markers.
func (c *Cluster) OldestTransaction(ctx context.Context) time.Duration {
	longest := maxTransactionTimeout
	if brokers, err := c.admin.BrokerMetadata(ctx); err == nil && len(brokers.Brokers) > 0 {
		configs, err := c.admin.DescribeBrokerConfigs(ctx, brokers.Brokers[0].NodeID)
		if err == nil {
			longest = maxTimeoutOf(configs)
		}
	}
	return longest + markerSlack
}

func maxTimeoutOf(configs kadm.ResourceConfigs) time.Duration {
	for _, r := range configs {
		for _, config := range r.Configs {
			if config.Key != "transaction.max.timeout.ms" || config.Value == nil {
				continue
			}
			if d, err := time.ParseDuration(*config.Value + "ms"); err == nil {
				return d
			}
		}
	}
	return maxTransactionTimeout
}

// HangingTransactions finds transactions in the partitions of a topic, or of
// all with the topic empty, that were last written to longer ago than age and
// that no coordinator will end (KIP-664): none has the producer's transaction,
// or the partition is not in it. Who may not see a transactional id takes its
// transaction for one that hangs.
//
// What was found is returned also with an error that says that some partitions
// did not answer.
func (c *Cluster) HangingTransactions(ctx context.Context, topic string, age time.Duration) ([]OpenTransaction, error) {
	set, err := c.partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	open, missed := c.openTransactions(ctx, set)
	if open == nil {
		return nil, missed
	}
	now := time.Now()
	open = slices.DeleteFunc(open, func(t OpenTransaction) bool { return now.Sub(t.LastWrite) < age })
	_, hanging, err := c.coordinated(ctx, open)
	if err != nil {
		return nil, err
	}
	if hanging, err = c.stillOpen(ctx, hanging); err != nil {
		return nil, err
	}
	return hanging, missed
}

// partitions are those of a topic, or of all topics if it is empty.
func (c *Cluster) partitions(ctx context.Context, topic string) (kadm.TopicsSet, error) {
	var topics []string
	if topic != "" {
		topics = []string{topic}
	}
	m, err := c.admin.Metadata(ctx, topics...)
	if err == nil && topic != "" {
		err = m.Topics[topic].Err
	}
	if err != nil {
		return nil, c.explain("list partitions", err)
	}
	return m.Topics.TopicsSet(), nil
}

// openTransactions asks the leaders of partitions for the transactions that are
// open there. The list is nil if none answered; an error with a list says that
// some did not.
func (c *Cluster) openTransactions(ctx context.Context, set kadm.TopicsSet) ([]OpenTransaction, error) {
	const doing = "describe producers"
	open, asked, answered := []OpenTransaction{}, 0, 0
	for _, partitions := range set {
		asked += len(partitions)
	}
	if asked == 0 {
		return open, nil // kadm would ask for all there are
	}
	described, err := c.admin.DescribeProducers(ctx, set)
	described.EachPartition(func(p kadm.DescribedProducersPartition) {
		if p.Err != nil {
			err = p.Err
			return
		}
		answered++
		for _, producer := range p.ActiveProducers.Sorted() {
			if producer.CurrentTxnStartOffset >= 0 {
				open = append(open, openTransaction(producer))
			}
		}
	})
	switch {
	case answered == asked:
	case answered > 0 && !errors.Is(err, context.Canceled):
		err = &Fault{
			Kind: Partial, Code: CodePartial, Message: fmt.Sprintf("%d of %d partitions did not say what is open", asked-answered, asked), Err: unwrapKerr(err),
			Hint: "a partition answers while it has a leader",
		}
	default:
		open, err = nil, c.explain(doing, err)
	}
	slices.SortFunc(open, byPlace)
	return open, err
}

func openTransaction(p kadm.DescribedProducer) OpenTransaction {
	return OpenTransaction{
		TopicPartition: TopicPartition{Topic: p.Topic, Partition: p.Partition}, StartOffset: p.CurrentTxnStartOffset,
		ProducerID: p.ProducerID, ProducerEpoch: p.ProducerEpoch, CoordinatorEpoch: p.CoordinatorEpoch,
		LastWrite: time.UnixMilli(p.LastTimestamp).UTC(),
	}
}
