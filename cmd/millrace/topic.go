package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/millrace-io/millrace/internal/ops"
)

func (s *shell) topicCommand() *cobra.Command {
	c := &cobra.Command{Use: "topic", Short: "List, create, describe and delete topics"}
	c.AddCommand(s.topicList(), s.topicCreate(), s.topicDescribe(), s.topicDelete())
	return c
}

func (s *shell) topicList() *cobra.Command {
	var internal bool
	c := &cobra.Command{Use: "list", Short: "List topics", Args: exactly()}
	c.Flags().BoolVar(&internal, "internal", false, "also those that belong to the cluster")
	c.RunE = s.withCluster(func(ctx context.Context, c *ops.Cluster, _ []string) error {
		topics, err := c.Topics(ctx, internal)
		if err != nil {
			return err
		}
		v := view{data: topics, header: []string{"TOPIC", "PARTITIONS", "REPLICAS"}}
		for _, t := range topics {
			v.rows = append(v.rows, []string{t.Name, strconv.Itoa(t.Partitions), strconv.Itoa(t.ReplicationFactor)})
			v.names = append(v.names, t.Name)
		}
		return s.print(v)
	})
	return s.printing(s.onCluster(c))
}

func (s *shell) topicCreate() *cobra.Command {
	spec := ops.TopicSpec{}
	var configs []string
	c := &cobra.Command{Use: "create TOPIC", Short: "Create a topic", Args: exactly("TOPIC")}
	c.Flags().Int32VarP(&spec.Partitions, "partitions", "p", -1, "number of partitions; -1 is the broker's default")
	c.Flags().Int16VarP(&spec.ReplicationFactor, "replication-factor", "r", -1, "replicas of each partition; -1 is the broker's default")
	c.Flags().StringArrayVar(&configs, "config", nil, "topic config KEY=VALUE, as often as needed")
	c.RunE = s.withCluster(func(ctx context.Context, c *ops.Cluster, args []string) error {
		var err error
		if spec.Configs, err = pairs("--config", configs); err != nil {
			return err
		}
		spec.Name = args[0]
		made, err := c.CreateTopic(ctx, spec)
		if err != nil {
			return err
		}
		return s.print(view{
			data: made, names: []string{made.Name}, header: []string{"TOPIC", "PARTITIONS", "REPLICAS"},
			rows: [][]string{{made.Name, strconv.Itoa(made.Partitions), strconv.Itoa(made.ReplicationFactor)}},
		})
	})
	return s.printing(s.onCluster(c))
}

// pairs reads KEY=VALUE arguments.
func pairs(flag string, list []string) (map[string]string, error) {
	m := map[string]string{}
	for _, text := range list {
		k, v, err := pair(flag, text)
		if err != nil {
			return nil, err
		}
		m[k] = v
	}
	return m, nil
}

func pair(flag, text string) (key, value string, err error) {
	key, value, found := strings.Cut(text, "=")
	if !found || key == "" {
		return "", "", usage(nil, "%s %s: need KEY=VALUE", flag, text)
	}
	return key, value, nil
}

func (s *shell) topicDescribe() *cobra.Command {
	c := &cobra.Command{Use: "describe TOPIC", Short: "Show partitions, offsets and configs of a topic", Args: exactly("TOPIC")}
	c.RunE = s.withCluster(func(ctx context.Context, c *ops.Cluster, args []string) error {
		d, err := c.DescribeTopic(ctx, args[0])
		if err != nil {
			return err
		}
		v := view{
			data: d, names: []string{d.Name}, narrow: 5,
			header: []string{"PARTITION", "LEADER", "START", "END", "ISR", "EPOCH", "REPLICAS"},
		}
		for _, p := range d.Parts {
			v.rows = append(v.rows, []string{
				fmt.Sprint(p.Partition), fmt.Sprint(p.Leader), fmt.Sprint(p.Start), fmt.Sprint(p.End),
				fmt.Sprint(p.ISR), fmt.Sprint(p.LeaderEpoch), fmt.Sprint(p.Replicas),
			})
		}
		if err := s.print(v); err != nil || (s.format != "table" && s.format != "wide") {
			return err
		}
		for _, k := range slices.Sorted(maps.Keys(d.Configs)) {
			if _, err := fmt.Fprintf(s.out, "config  %s=%s\n", k, d.Configs[k]); err != nil {
				return err
			}
		}
		return nil
	})
	return s.printing(s.onCluster(c))
}

func (s *shell) topicDelete() *cobra.Command {
	var yes bool
	c := &cobra.Command{Use: "delete TOPIC...", Short: "Delete topics", Args: atLeastOne("TOPIC")}
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.RunE = s.withCluster(func(ctx context.Context, c *ops.Cluster, args []string) error {
		if err := s.confirm(yes, "delete topics "+strings.Join(args, ", ")); err != nil {
			return err
		}
		results, err := c.DeleteTopics(ctx, args...)
		if results == nil {
			return err
		}
		v := view{data: results, header: []string{"TOPIC", "RESULT"}}
		for _, r := range results {
			result := "deleted"
			if r.Error != "" {
				result = r.Error
			} else {
				v.names = append(v.names, r.Name)
			}
			v.rows = append(v.rows, []string{r.Name, result})
		}
		if printErr := s.print(v); printErr != nil {
			return printErr
		}
		return err
	})
	return s.printing(s.onCluster(c))
}

// confirm asks on a terminal and otherwise wants --yes.
func (s *shell) confirm(yes bool, plan string) error {
	if yes {
		return nil
	}
	refused := &ops.Fault{
		Kind: ops.Usage, Code: ops.CodeConfirm, Message: "not confirmed: " + plan,
		Hint: "without a terminal nobody can be asked", Try: "--yes",
	}
	file, ok := s.in.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return refused
	}
	fmt.Fprintf(s.errs, "%s? [y/N] ", plan)
	var answer string
	if _, err := fmt.Fscanln(file, &answer); err != nil || !strings.EqualFold(answer, "y") {
		return refused
	}
	return nil
}
