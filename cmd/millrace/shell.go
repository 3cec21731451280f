package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/internal/conf"
	"github.com/millrace-io/millrace/internal/ops"
)

const exitInterrupted = 130

// shell is what the commands share: the streams and the global flags.
type shell struct {
	in        io.Reader
	out, errs io.Writer

	bootstrap []string
	registry  string
	connect   string
	format    string
	// serving is set by commands that run until they are interrupted, for
	// which an interrupt is a good end.
	serving bool
}

func (s *shell) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "millrace",
		Short:         "Stream processing with its broker bundled",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usage("%v", err).forCommand(c) })
	root.AddCommand(
		s.devCommand(), s.startCommand(), s.waitCommand(), s.configCommand(),
		s.topicCommand(), s.produceCommand(), s.consumeCommand(), s.groupCommand(),
		s.schemaCommand(), s.connectCommand(), s.mirrorCommand(), s.versionCommand(),
	)
	for _, c := range root.Commands() {
		strict(c)
	}
	return root
}

// strict makes a command with subcommands refuse what is none of them.
func strict(c *cobra.Command) {
	if !c.HasSubCommands() {
		return
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return c.Help()
		}
		fault := usage("unknown command %q for %q", args[0], c.CommandPath())
		if near := c.SuggestionsFor(args[0]); len(near) > 0 {
			fault.Hint = "did you mean " + strings.Join(near, " or ") + "?"
		}
		return fault.forCommand(c)
	}
	c.Args = cobra.ArbitraryArgs
	for _, sub := range c.Commands() {
		strict(sub)
	}
}

// onCluster adds the flags by which a command reaches a cluster.
func (s *shell) onCluster(c *cobra.Command) *cobra.Command {
	c.Flags().StringSliceVar(&s.bootstrap, "bootstrap", fromEnv("MILLRACE_BOOTSTRAP", "127.0.0.1:9092"), "brokers of the cluster, host:port")
	return c
}

func (s *shell) onRegistry(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&s.registry, "registry", fromEnv("MILLRACE_REGISTRY", "http://127.0.0.1:8081")[0], "address of the schema registry")
	return c
}

func (s *shell) onConnect(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&s.connect, "connect", fromEnv("MILLRACE_CONNECT", "http://127.0.0.1:8083")[0], "address of a connect worker")
	return c
}

// printing adds -o to a command that prints data.
func (s *shell) printing(c *cobra.Command) *cobra.Command {
	c.Flags().StringVarP(&s.format, "output", "o", "table", "table, wide, json, jsonl, yaml or name")
	return c
}

func fromEnv(name, fallback string) []string {
	if v := os.Getenv(name); v != "" {
		return strings.Split(v, ",")
	}
	return []string{fallback}
}

func (s *shell) profile() cluster.Profile {
	return cluster.Profile{
		Bootstrap: s.bootstrap, ClientID: "millrace-cli",
		SchemaRegistry: cluster.Registry{URL: s.registry},
	}
}

// withCluster runs an operation on the cluster that the flags name.
func (s *shell) withCluster(do func(ctx context.Context, c *ops.Cluster, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := ops.Open(s.profile())
		if err != nil {
			return err
		}
		defer c.Close()
		return do(cmd.Context(), c, args)
	}
}

// fault is a Fault of the command itself.
type fault struct{ *ops.Fault }

func (f fault) Error() string { return f.Fault.Error() }
func (f fault) Unwrap() error { return f.Fault }

func usage(format string, args ...any) fault {
	return fault{&ops.Fault{Kind: ops.Usage, Code: ops.CodeUsage, Message: fmt.Sprintf(format, args...)}}
}

func (f fault) forCommand(c *cobra.Command) fault {
	f.Try = c.CommandPath() + " --help"
	return f
}

// exactly is cobra.ExactArgs in the form of our errors.
func exactly(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return usage("%s needs %s, got %d arguments", c.CommandPath(), strings.Join(names, " and "), len(args)).forCommand(c)
		}
		return nil
	}
}

func atLeastOne(name string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usage("%s needs at least one %s", c.CommandPath(), name).forCommand(c)
		}
		return nil
	}
}

// report prints what went wrong, why and what to try, and returns the exit
// code.
func (s *shell) report(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, syscall.EPIPE): // the reader of our output has seen enough
		return 0
	}
	f := asFault(err)
	fmt.Fprintf(s.errs, "error: %s\n", indented(f.Error()))
	if f.Hint != "" {
		fmt.Fprintf(s.errs, "hint:  %s\n", indented(f.Hint))
	}
	if f.Try != "" {
		fmt.Fprintf(s.errs, "       try: %s\n", f.Try)
	}
	fmt.Fprintf(s.errs, "code:  %s\n", f.Code)
	return int(f.Kind)
}

func indented(text string) string { return strings.ReplaceAll(text, "\n", "\n       ") }

func asFault(err error) *ops.Fault {
	var f *ops.Fault
	var config conf.Errors
	var busy *net.OpError
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &config):
		return &ops.Fault{Kind: ops.Usage, Code: ops.CodeConfigFile, Message: config.Error(), Hint: "every fault of the file is listed; nothing was started"}
	case errors.Is(err, syscall.EADDRINUSE) && errors.As(err, &busy):
		return &ops.Fault{Kind: ops.Failed, Code: ops.CodePort, Message: err.Error(), Hint: "another process listens there, perhaps another millrace", Try: "--port 0 for free ports"}
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return &ops.Fault{Kind: ops.Usage, Code: ops.CodeUsage, Message: err.Error()}
	case strings.HasPrefix(err.Error(), "unknown command"):
		return &ops.Fault{Kind: ops.Usage, Code: ops.CodeUsage, Message: firstLine(err.Error()), Hint: suggestion(err.Error()), Try: "millrace --help"}
	case ops.Unreached(err):
		return &ops.Fault{Kind: ops.Unreachable, Code: ops.CodeUnreachable, Message: err.Error()}
	}
	return &ops.Fault{Kind: ops.Failed, Code: ops.CodeFailed, Message: err.Error()}
}

func firstLine(text string) string { line, _, _ := strings.Cut(text, "\n"); return line }

// suggestion keeps cobra's "Did you mean this?" of an unknown command.
func suggestion(text string) string {
	_, rest, found := strings.Cut(text, "Did you mean this?")
	if !found {
		return ""
	}
	return "did you mean " + strings.Join(strings.Fields(rest), " or ") + "?"
}
