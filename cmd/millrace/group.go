package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/millrace-io/millrace/internal/ops"
)

func (s *shell) groupCommand() *cobra.Command {
	c := &cobra.Command{Use: "group", Short: "List and describe consumer groups"}
	c.AddCommand(s.groupList(), s.groupDescribe())
	return c
}

func (s *shell) groupList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List groups", Args: exactly()}
	c.RunE = s.withCluster(func(ctx context.Context, c *ops.Cluster, _ []string) error {
		groups, err := c.Groups(ctx)
		if err != nil {
			return err
		}
		v := view{data: groups, header: []string{"GROUP", "STATE", "TYPE", "COORDINATOR", "PROTOCOL"}, narrow: 3}
		for _, g := range groups {
			v.rows = append(v.rows, []string{g.Name, g.State, g.ProtocolType, fmt.Sprint(g.Coordinator), g.GroupType})
			v.names = append(v.names, g.Name)
		}
		return s.print(v)
	})
	return s.printing(s.onCluster(c))
}

func (s *shell) groupDescribe() *cobra.Command {
	c := &cobra.Command{Use: "describe GROUP", Short: "Show members, committed offsets and lag of a group", Args: exactly("GROUP")}
	c.RunE = s.withCluster(func(ctx context.Context, c *ops.Cluster, args []string) error {
		g, err := c.DescribeGroup(ctx, args[0])
		if err != nil {
			return err
		}
		if s.format == "table" || s.format == "wide" {
			fmt.Fprintf(s.out, "group %s, %s, %d members, lag %d\n", g.Name, g.State, len(g.Members), g.Lag)
		}
		v := view{data: g, names: []string{g.Name}, narrow: 5, header: []string{"TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "MEMBER"}}
		for _, p := range g.Parts {
			v.rows = append(v.rows, []string{p.Topic, fmt.Sprint(p.Partition), fmt.Sprint(p.Committed), fmt.Sprint(p.End), fmt.Sprint(p.Lag), p.Member})
		}
		if err := s.print(v); err != nil || (s.format != "table" && s.format != "wide") {
			return err
		}
		return s.members(g)
	})
	return s.printing(s.onCluster(c))
}

// members are lines below the table: who is in the group, and what each has.
func (s *shell) members(g ops.GroupDetail) error {
	for _, m := range g.Members {
		line := "member  " + m.ID
		if m.InstanceID != "" {
			line += " (" + m.InstanceID + ")"
		}
		line += ", " + m.ClientID + " on " + m.Host
		if m.Epoch > 0 {
			line += fmt.Sprintf(", epoch %d", m.Epoch)
		}
		for _, t := range m.Assigned {
			line += fmt.Sprintf(", %s %v", t.Topic, t.Partitions)
		}
		if _, err := fmt.Fprintln(s.out, oneLine.Replace(line)); err != nil {
			return err
		}
	}
	return nil
}
