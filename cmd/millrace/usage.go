package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/millrace-io/millrace/internal/conf"
	"github.com/millrace-io/millrace/internal/ops"
)

// usage is a command line that cannot be meant; c's help is the thing to try.
func usage(c *cobra.Command, format string, args ...any) *ops.Fault {
	f := &ops.Fault{Kind: ops.Usage, Code: ops.CodeUsage, Message: fmt.Sprintf(format, args...)}
	if c != nil {
		f.Try = c.CommandPath() + " --help"
	}
	return f
}

// didYouMean adds the nearest of the names that would have been right.
func didYouMean(f *ops.Fault, name string, names []string) *ops.Fault {
	if near, ok := conf.Nearest(name, names); ok {
		f.Hint = "did you mean " + near + "?"
	}
	return f
}

// strict makes commands with subcommands refuse what is none of them, where
// cobra would show the help as if all were well.
func strict(c *cobra.Command) {
	if !c.HasSubCommands() {
		return
	}
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return c.Help()
		}
		var names []string
		for _, sub := range c.Commands() {
			names = append(names, sub.Name())
		}
		return didYouMean(usage(c, "unknown command %q for %q", args[0], c.CommandPath()), args[0], names)
	}
	for _, sub := range c.Commands() {
		strict(sub)
	}
}

// helpCommand is cobra's, but refuses what is no command.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "Show the help of a command",
		RunE: func(_ *cobra.Command, args []string) error {
			found, rest, err := root.Find(args)
			if err != nil {
				return usage(root, "%v", err)
			}
			if found.HasSubCommands() && len(rest) > 0 {
				return found.RunE(found, rest) // which says what it has instead
			}
			return found.Help()
		},
	}
}

// badFlag explains a flag that cobra could not read.
func badFlag(c *cobra.Command, err error) error {
	f := usage(c, "%v", err)
	name, ok := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !ok {
		return f
	}
	var names []string
	c.Flags().VisitAll(func(known *pflag.Flag) { names = append(names, "--"+known.Name) })
	return didYouMean(f, "--"+name, names)
}

// oneOf checks the value of a flag that has few.
func oneOf(c *cobra.Command, flag, value string, values []string) error {
	if slices.Contains(values, value) {
		return nil
	}
	last := len(values) - 1
	f := usage(c, "%s %s: need %s or %s", flag, value, strings.Join(values[:last], ", "), values[last])
	return didYouMean(f, value, values)
}

// exactly is cobra.ExactArgs in the form of our errors.
func exactly(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) == len(names):
			return nil
		case len(names) == 0:
			return usage(c, "%s takes no arguments, got %q", c.CommandPath(), args)
		}
		return usage(c, "%s needs %s, got %d arguments", c.CommandPath(), strings.Join(names, " and "), len(args))
	}
}

func atLeastOne(name string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usage(c, "%s needs at least one %s", c.CommandPath(), name)
		}
		return nil
	}
}
