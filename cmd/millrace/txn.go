package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/millrace-io/millrace/internal/ops"
)

func (s *shell) txnCommand() *cobra.Command {
	c := &cobra.Command{Use: "txn", Short: "List and describe transactions, find and abort those that hang"}
	c.AddCommand(s.txnList(), s.txnDescribe(), s.txnFindHanging(), s.txnAbort())
	return c
}

func (s *shell) txnList() *cobra.Command {
	var state string
	var duration time.Duration
	c := &cobra.Command{Use: "list", Short: "List transactional ids", Args: exactly()}
	c.Flags().StringVar(&state, "state", "", "only those in this state, such as Ongoing")
	c.Flags().DurationVar(&duration, "duration", 0, "only those whose transaction has been under way for longer")
	c.RunE = s.withCluster(func(ctx context.Context, cl *ops.Cluster, _ []string) error {
		if state != "" {
			if err := oneOf(c, "--state", state, ops.TransactionStates()); err != nil {
				return err
			}
		}
		all, err := cl.Transactions(ctx, state, duration)
		if err != nil {
			return err
		}
		v := view{data: all, header: []string{"TRANSACTIONAL-ID", "STATE", "PRODUCER", "COORDINATOR"}, narrow: 3}
		for _, t := range all {
			v.rows = append(v.rows, []string{t.ID, t.State, fmt.Sprint(t.ProducerID), fmt.Sprint(t.Coordinator)})
			v.names = append(v.names, t.ID)
		}
		return s.print(v)
	})
	return s.printing(s.onCluster(c))
}

func (s *shell) txnDescribe() *cobra.Command {
	c := &cobra.Command{Use: "describe TRANSACTIONAL-ID", Short: "Show state, producer and partitions of a transaction", Args: exactly("TRANSACTIONAL-ID")}
	c.RunE = s.withCluster(func(ctx context.Context, c *ops.Cluster, args []string) error {
		t, err := c.DescribeTransaction(ctx, args[0])
		if err != nil {
			return err
		}
		if s.format == "table" || s.format == "wide" {
			started := "not begun"
			if t.Started != nil {
				started = "begun " + t.Started.Local().Format(time.DateTime)
			}
			timeout := time.Duration(t.TimeoutMS) * time.Millisecond
			fmt.Fprintf(s.out, "transaction %s, %s, %s, producer %d epoch %d, timeout %s\n", t.ID, t.State, started, t.ProducerID, t.ProducerEpoch, timeout)
		}
		v := view{data: t, names: []string{t.ID}, header: []string{"TOPIC", "PARTITION"}}
		for _, p := range t.Parts {
			v.rows = append(v.rows, []string{p.Topic, fmt.Sprint(p.Partition)})
		}
		return s.print(v)
	})
	return s.printing(s.onCluster(c))
}

func (s *shell) txnFindHanging() *cobra.Command {
	var topic string
	var age time.Duration
	c := &cobra.Command{
		Use: "find-hanging", Short: "Find open transactions that no coordinator will end", Args: exactly(),
		Long: "Find transactions that are open in a partition, that nobody has written to for long, and that\n" +
			"no coordinator has: consumers that read committed records wait for them for ever. It takes the\n" +
			"right to describe all transactional ids, since one that cannot be seen seems to be nobody's.",
	}
	c.Flags().StringVar(&topic, "topic", "", "only in this topic")
	c.Flags().DurationVar(&age, "max-age", 0, "how long ago the last write must be (default transaction.max.timeout.ms and 5m)")
	c.RunE = s.withCluster(func(ctx context.Context, cl *ops.Cluster, _ []string) error {
		if !c.Flags().Changed("max-age") {
			age = cl.OldestTransaction(ctx)
		}
		hanging, err := cl.HangingTransactions(ctx, topic, age)
		if hanging == nil {
			return err
		}
		if printErr := s.print(openTransactions(hanging, hanging...)); printErr != nil {
			return printErr
		}
		return err
	})
	return s.printing(s.onCluster(c))
}

// openTransactions shows transactions in the order in which abort takes what
// names them.
func openTransactions(data any, all ...ops.OpenTransaction) view {
	v := view{
		data: data, narrow: 5,
		header: []string{"TOPIC", "PARTITION", "START", "PRODUCER", "LAST-WRITE", "EPOCH", "COORDINATOR-EPOCH", "TRANSACTIONAL-ID"},
	}
	for _, t := range all {
		v.names = append(v.names, fmt.Sprintf("%s-%d@%d", t.Topic, t.Partition, t.StartOffset))
		v.rows = append(v.rows, []string{
			t.Topic, fmt.Sprint(t.Partition), fmt.Sprint(t.StartOffset), fmt.Sprint(t.ProducerID), t.LastWrite.Local().Format(time.DateTime),
			fmt.Sprint(t.ProducerEpoch), fmt.Sprint(t.CoordinatorEpoch), t.TransactionalID,
		})
	}
	return v
}

func (s *shell) txnAbort() *cobra.Command {
	var a ops.Abort
	var yes, dryRun bool
	c := &cobra.Command{Use: "abort", Short: "Abort an open transaction in a partition", Args: exactly()}
	c.Flags().StringVar(&a.Topic, "topic", "", "topic of the partition")
	c.Flags().Int32Var(&a.Partition, "partition", -1, "partition that waits for the transaction")
	c.Flags().Int64Var(&a.StartOffset, "start-offset", -1, "first offset of the transaction, as find-hanging shows it")
	c.Flags().BoolVar(&a.Force, "force", false, "also one that its coordinator has")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only show what would be aborted")
	c.RunE = s.withCluster(func(ctx context.Context, cl *ops.Cluster, _ []string) error {
		if a.Topic == "" || a.Partition < 0 || a.StartOffset < 0 {
			return usage(c, "%s needs --topic, --partition and --start-offset", c.CommandPath())
		}
		t, err := cl.TransactionToAbort(ctx, a)
		if err != nil {
			return err
		}
		if !dryRun {
			plan := fmt.Sprintf("abort the transaction of producer %d at offset %d of partition %d of %s", t.ProducerID, t.StartOffset, t.Partition, t.Topic)
			if err := s.confirm(yes, plan); err != nil {
				return err
			}
			if err := cl.AbortTransaction(ctx, t); err != nil {
				return err
			}
		}
		return s.print(openTransactions(t, t))
	})
	return s.printing(s.onCluster(c))
}
