package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/millrace-io/millrace/internal/ops"
	"github.com/millrace-io/millrace/schema"
)

func (s *shell) schemaCommand() *cobra.Command {
	c := &cobra.Command{Use: "schema", Short: "List, read, register and check schemas"}
	c.AddCommand(s.schemaList(), s.schemaGet(), s.schemaRegister(), s.schemaCheck())
	return c
}

// withRegistry runs an operation on the registry that the flags name.
func (s *shell) withRegistry(do func(ctx context.Context, c *schema.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		client, err := schema.NewClient(s.registry)
		if err != nil {
			return usage(nil, "--registry %s: %v", s.registry, err)
		}
		defer client.Close()
		ctx, cancel := context.WithTimeout(cmd.Context(), ops.DefaultTimeout)
		defer cancel()
		return s.registryFault(do(ctx, client, args))
	}
}

// registryFault says what a refusal of the registry means for a person.
func (s *shell) registryFault(err error) error {
	var refused *schema.Error
	if !errors.As(err, &refused) {
		return err
	}
	f := &ops.Fault{Kind: ops.Failed, Code: ops.CodeRegistry, Message: err.Error()}
	switch {
	case errors.Is(err, schema.ErrIncompatible):
		f.Kind, f.Code, f.Hint = ops.Conflict, ops.CodeIncompatible, "readers of earlier data would fail: change the schema, or the subject's compatibility level"
	case errors.Is(err, schema.ErrNotFound):
		f.Kind, f.Code, f.Try = ops.NotFound, ops.CodeNoSubject, "millrace schema list"
	case errors.Is(err, schema.ErrInvalid):
		f.Kind, f.Code = ops.Usage, ops.CodeBadSchema
	case errors.Is(err, schema.ErrUnavailable):
		f.Kind, f.Code, f.Hint, f.Try = ops.Unreachable, ops.CodeUnreachable, "does a registry run at "+s.registry+"?", "--registry URL"
	}
	return f
}

func (s *shell) schemaList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List subjects with their versions", Args: exactly()}
	c.RunE = s.withRegistry(func(ctx context.Context, c *schema.Client, _ []string) error {
		subjects, err := c.Subjects(ctx)
		if err != nil {
			return err
		}
		type item struct {
			Subject  string `json:"subject"`
			Versions []int  `json:"versions"`
		}
		items := []item{}
		v := view{names: subjects, header: []string{"SUBJECT", "VERSIONS"}}
		for _, subject := range subjects {
			versions, err := c.Versions(ctx, subject)
			if err != nil {
				return err
			}
			items = append(items, item{subject, versions})
			v.rows = append(v.rows, []string{subject, fmt.Sprint(versions)})
		}
		v.data = items
		return s.print(v)
	})
	return s.printing(s.onRegistry(c))
}

func (s *shell) schemaGet() *cobra.Command {
	c := &cobra.Command{Use: "get SUBJECT [VERSION]", Short: "Print the schema of a subject, the latest without a version"}
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 || len(args) > 2 {
			return usage(c, "%s needs SUBJECT and perhaps VERSION", c.CommandPath())
		}
		return nil
	}
	c.RunE = s.withRegistry(func(ctx context.Context, c *schema.Client, args []string) error {
		found, err := s.find(ctx, c, args)
		if err != nil {
			return err
		}
		if s.format == "table" {
			_, err = fmt.Fprintln(s.out, found.Text)
			return err
		}
		item := struct {
			Subject string `json:"subject"`
			Version int    `json:"version"`
			ID      int    `json:"id"`
			Type    string `json:"type"`
			Schema  string `json:"schema"`
		}{found.Subject, found.Version, found.ID, string(found.Type), found.Text}
		return s.print(view{
			data: item, names: []string{found.Subject}, header: []string{"SUBJECT", "VERSION", "ID", "SCHEMA"},
			rows: [][]string{{found.Subject, strconv.Itoa(found.Version), strconv.Itoa(found.ID), found.Text}},
		})
	})
	return s.printing(s.onRegistry(c))
}

func (s *shell) find(ctx context.Context, c *schema.Client, args []string) (*schema.Schema, error) {
	if len(args) == 1 || args[1] == "latest" {
		return c.Latest(ctx, args[0])
	}
	version, err := strconv.Atoi(args[1])
	if err != nil || version < 1 {
		return nil, usage(nil, "version %q: need a number from 1, or latest", args[1])
	}
	return c.Version(ctx, args[0], version)
}

// maxSchema bounds a schema that is read from a file.
const maxSchema = 8 << 20

func (s *shell) definition(ctx context.Context, file string) (schema.Definition, error) {
	in, err := s.input(ctx, file)
	if err != nil {
		return schema.Definition{}, err
	}
	defer in.Close()
	text, err := io.ReadAll(io.LimitReader(in, maxSchema))
	return schema.Definition{Text: string(text)}, err
}

func (s *shell) schemaRegister() *cobra.Command {
	c := &cobra.Command{Use: "register SUBJECT FILE", Short: "Register an Avro schema; - reads standard input", Args: exactly("SUBJECT", "FILE")}
	c.RunE = s.withRegistry(func(ctx context.Context, c *schema.Client, args []string) error {
		def, err := s.definition(ctx, args[1])
		if err != nil {
			return err
		}
		id, err := c.Register(ctx, args[0], def)
		if err != nil {
			return err
		}
		item := struct {
			Subject string `json:"subject"`
			ID      int    `json:"id"`
		}{args[0], id}
		return s.print(view{data: item, names: args[:1], header: []string{"SUBJECT", "ID"}, rows: [][]string{{args[0], strconv.Itoa(id)}}})
	})
	return s.printing(s.onRegistry(c))
}

func (s *shell) schemaCheck() *cobra.Command {
	c := &cobra.Command{Use: "check SUBJECT FILE", Short: "Say whether a schema could be registered; exit code 6 where not", Args: exactly("SUBJECT", "FILE")}
	c.RunE = s.withRegistry(func(ctx context.Context, c *schema.Client, args []string) error {
		def, err := s.definition(ctx, args[1])
		if err != nil {
			return err
		}
		verdict, err := c.Check(ctx, args[0], 0, def)
		if err != nil {
			return err
		}
		return s.verdict(args[0], verdict)
	})
	return s.printing(s.onRegistry(c))
}

func (s *shell) verdict(subject string, verdict schema.Verdict) error {
	item := struct {
		Subject    string   `json:"subject"`
		Compatible bool     `json:"compatible"`
		Messages   []string `json:"messages,omitempty"`
	}{subject, verdict.Compatible, verdict.Messages}
	v := view{data: item, names: []string{subject}, header: []string{"SUBJECT", "COMPATIBLE"}, rows: [][]string{{subject, strconv.FormatBool(verdict.Compatible)}}}
	if err := s.print(v); err != nil || verdict.Compatible {
		return err
	}
	f := &ops.Fault{
		Kind: ops.Conflict, Code: ops.CodeIncompatible, Message: "the schema is incompatible with subject " + subject,
		Hint: "readers of earlier data would fail: change the schema, or the subject's compatibility level",
	}
	for _, m := range verdict.Messages {
		f.Message += "\n" + m
	}
	return f
}
