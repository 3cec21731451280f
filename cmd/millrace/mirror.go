package main

import (
	"fmt"
	"maps"
	"os"

	"github.com/spf13/cobra"

	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/internal/ops"
	"github.com/millrace-io/millrace/mirrormaker"
)

func (s *shell) mirrorCommand() *cobra.Command {
	c := &cobra.Command{Use: "mirror", Short: "Copy topics between clusters"}
	run := &cobra.Command{
		Use: "run FILE", Short: "Run the flows of a file in the foreground", Args: exactly("FILE"),
		Long: "Run the flows of a file in the foreground. The profile local is the cluster of --bootstrap.",
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			file, err := mirrormaker.Load(args[0], data)
			if err != nil {
				return err
			}
			profiles := map[string]cluster.Profile{mirrormaker.Local: s.profile()}
			maps.Copy(profiles, file.Profiles)
			m, err := mirrormaker.New(mirrormaker.Config{Flows: file.Mirrors, Profiles: profiles, Logger: s.logger()})
			if err != nil {
				return err
			}
			s.serving = true
			fmt.Fprintf(s.errs, "mirroring %d flows; Ctrl-C ends it\n", len(file.Mirrors))
			if err := m.Run(cmd.Context()); err != nil {
				return mirrorFault(err)
			}
			return nil
		},
	}
	c.AddCommand(s.onCluster(run))
	return c
}

func mirrorFault(err error) error {
	f := &ops.Fault{Kind: ops.Failed, Code: ops.CodeMirror, Message: err.Error()}
	if ops.Unreached(err) {
		f.Kind, f.Code, f.Hint = ops.Unreachable, ops.CodeUnreachable, "are both clusters running, and do the profiles name addresses that this machine can reach?"
	}
	return f
}
