package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/ops"
	"github.com/millrace-io/millrace/schema"
)

func (s *shell) produceCommand() *cobra.Command {
	p := ops.Produce{}
	var key, file, subject string
	var headers []string
	c := &cobra.Command{
		Use: "produce TOPIC", Short: "Write a record for each line of standard input or of a file", Args: exactly("TOPIC"),
		Example: "  echo hello | millrace produce greetings\n  millrace produce orders -K : --file orders.txt",
	}
	c.Flags().StringVarP(&key, "key", "k", "", "key of every record")
	c.Flags().StringVarP(&p.Separator, "key-separator", "K", "", "splits a line into key and value")
	c.Flags().Int32VarP(&p.Partition, "partition", "p", -1, "partition to write to; -1: the key decides")
	c.Flags().StringArrayVarP(&headers, "header", "H", nil, "record header KEY=VALUE, as often as needed")
	c.Flags().StringVar(&file, "file", "", "file to read instead of standard input")
	c.Flags().StringVar(&subject, "schema", "", "encode lines of JSON as Avro by the latest schema of this subject")
	c.RunE = s.withCluster(func(ctx context.Context, c *ops.Cluster, args []string) error {
		p.Topic = args[0]
		if key != "" {
			p.Key = []byte(key)
		}
		for _, h := range headers {
			k, v, err := pair("-H", h)
			if err != nil {
				return err
			}
			p.Headers = append(p.Headers, kgo.RecordHeader{Key: k, Value: []byte(v)})
		}
		var err error
		if subject != "" {
			if p.Encode, err = s.encoder(p.Topic, subject); err != nil {
				return err
			}
		}
		in, err := s.input(ctx, file)
		if err != nil {
			return err
		}
		defer in.Close()
		n, err := c.Produce(ctx, in, p)
		fmt.Fprintf(s.errs, "%d records acked\n", n)
		return err
	})
	return s.onRegistry(s.onCluster(c))
}

// input opens a file, or standard input where none or - is named.
func (s *shell) input(ctx context.Context, file string) (io.ReadCloser, error) {
	if file == "" || file == "-" {
		return io.NopCloser(newInterruptible(ctx, s.in)), nil
	}
	return os.Open(file)
}

// encoder turns JSON into Avro by the latest schema of a subject.
func (s *shell) encoder(topic, subject string) (func(context.Context, []byte) ([]byte, error), error) {
	client, err := schema.NewClient(s.registry)
	if err != nil {
		return nil, usage(nil, "--registry %s: %v", s.registry, err)
	}
	generic, err := schema.Generic(client, schema.Subject(func(string, string, bool) string { return subject }))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, value []byte) ([]byte, error) {
		encoded, err := generic.EncodeJSON(ctx, topic, value)
		if errors.Is(err, schema.ErrInvalid) { // the data is at fault, not how the command was used
			return nil, &ops.Fault{Kind: ops.Failed, Code: ops.CodeUnencodable, Message: err.Error(), Try: "millrace schema get " + subject}
		}
		return encoded, s.registryFault(err)
	}, nil
}
