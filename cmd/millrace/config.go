package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/millrace-io/millrace/internal/node"
)

func (s *shell) configCommand() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Check configuration files"}
	check := &cobra.Command{
		Use: "check FILE", Short: "Report every fault of a configuration file, with line and column", Args: exactly("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			data, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			if _, err := node.LoadFile(args[0], data); err != nil {
				return err
			}
			_, err = fmt.Fprintf(s.out, "%s: ok\n", args[0])
			return err
		},
	}
	c.AddCommand(check)
	return c
}
