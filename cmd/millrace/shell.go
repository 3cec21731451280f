package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/internal/ops"
)

// shell is what the commands share: the streams and the global flags.
type shell struct {
	in        io.Reader
	out, errs io.Writer
	began     time.Time

	bootstrap []string
	registry  string
	connect   string
	format    string
	// serving is set by commands that run until somebody ends them, for which
	// an interrupt is a good end: they exit with 0.
	serving bool
}

func (s *shell) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "millrace",
		Short:         "Stream processing with its broker bundled",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(badFlag)
	root.AddCommand(
		s.devCommand(), s.startCommand(), s.waitCommand(), s.configCommand(),
		s.topicCommand(), s.produceCommand(), s.consumeCommand(), s.groupCommand(), s.txnCommand(),
		s.schemaCommand(), s.connectCommand(), s.mirrorCommand(), s.benchCommand(), s.versionCommand(),
	)
	strict(root)
	root.SetHelpCommand(helpCommand(root))
	return root
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
	c.Flags().StringVarP(&s.format, "output", "o", "table", strings.Join(formats, ", "))
	c.PreRunE = func(c *cobra.Command, _ []string) error { // before anything is done
		return oneOf(c, "--output", s.format, formats)
	}
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

// logger logs to standard error.
func (s *shell) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(s.errs, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
