package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/ops"
	"github.com/millrace-io/millrace/schema"
)

func (s *shell) consumeCommand() *cobra.Command {
	var q ops.Consume
	var from, decode string
	var keys bool
	c := &cobra.Command{
		Use: "consume TOPIC...", Short: "Print the records of topics", Args: atLeastOne("TOPIC"),
		Long: "Print the records of topics: the value a line, or JSON with everything that a record has.\nWithout --follow the command ends where the topics ended when it began.",
	}
	c.Flags().StringVarP(&from, "offset", "o", "start", "where to begin: start, end, N, -N, @time, +duration")
	c.Flags().IntVarP(&q.Max, "number", "n", 0, "end after so many records")
	c.Flags().StringVarP(&q.Group, "group", "g", "", "read as a member of a consumer group, and commit")
	c.Flags().BoolVarP(&q.Follow, "follow", "f", false, "wait for new records")
	c.Flags().StringVar(&decode, "decode", "auto", "how values are shown: auto, avro, json, string or hex")
	c.Flags().BoolVar(&keys, "keys", false, "print the key and a tab before the value")
	c.Flags().StringVar(&s.format, "output", "text", "text or json")
	c.RunE = s.withCluster(func(ctx context.Context, c *ops.Cluster, args []string) error {
		var err error
		if q.From, err = ops.ParseFrom(from, time.Now()); err != nil {
			return usage("--offset %v", err)
		}
		show, err := s.decoder(decode)
		if err != nil {
			return err
		}
		q.Topics, s.serving = args, q.Follow
		var failed error
		err = c.Consume(ctx, q, func(r *kgo.Record) bool {
			failed = s.printRecord(ctx, r, show, keys)
			return failed == nil
		})
		if failed != nil {
			return failed
		}
		return err
	})
	return s.onRegistry(s.onCluster(c))
}

// shown is a record as JSON output has it.
type shown struct {
	Version   int               `json:"_v"`
	Topic     string            `json:"topic"`
	Partition int32             `json:"partition"`
	Offset    int64             `json:"offset"`
	Timestamp time.Time         `json:"timestamp"`
	Key       any               `json:"key"`
	Value     any               `json:"value"`
	Headers   map[string]string `json:"headers,omitempty"`
}

type decoder func(ctx context.Context, topic string, data []byte) (any, error)

func (s *shell) printRecord(ctx context.Context, r *kgo.Record, value decoder, keys bool) error {
	v, err := value(ctx, r.Topic, r.Value)
	if err != nil {
		return fmt.Errorf("%s-%d, offset %d: %w", r.Topic, r.Partition, r.Offset, s.registryFault(err))
	}
	switch s.format {
	case "text":
		var line bytes.Buffer
		if keys {
			fmt.Fprintf(&line, "%v\t", text(plain(r.Key)))
		}
		fmt.Fprintf(&line, "%s\n", text(v))
		_, err = s.out.Write(line.Bytes())
		return err
	case "json":
		out := shown{Version: 1, Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp.UTC(), Key: plain(r.Key), Value: v}
		for _, h := range r.Headers {
			if out.Headers == nil {
				out.Headers = map[string]string{}
			}
			out.Headers[h.Key] = string(h.Value)
		}
		return json.NewEncoder(s.out).Encode(out)
	default:
		return usage("--output %s: need text or json", s.format)
	}
}

func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.RawMessage:
		return string(v)
	}
	return fmt.Sprint(v)
}

// plain shows bytes as text where they are text, else in hexadecimal.
func plain(b []byte) any {
	switch {
	case b == nil:
		return nil
	case utf8.Valid(b):
		return string(b)
	}
	return hex.EncodeToString(b)
}

// decoder returns how values are shown.
func (s *shell) decoder(name string) (decoder, error) {
	switch name {
	case "string":
		return func(_ context.Context, _ string, b []byte) (any, error) { return plain(b), nil }, nil
	case "hex":
		return func(_ context.Context, _ string, b []byte) (any, error) { return hex.EncodeToString(b), nil }, nil
	case "json":
		return func(_ context.Context, _ string, b []byte) (any, error) {
			if !json.Valid(b) {
				return nil, fmt.Errorf("the value is not JSON (try --decode string)")
			}
			return json.RawMessage(b), nil
		}, nil
	case "avro", "auto":
		return s.avroDecoder(name == "auto")
	}
	return nil, usage("--decode %s: need auto, avro, json, string or hex", name)
}

// avroDecoder shows Avro as JSON. With guess, only what begins as a frame of
// the registry is taken for Avro, and text where the registry does not know it.
func (s *shell) avroDecoder(guess bool) (decoder, error) {
	client, err := schema.NewClient(s.registry)
	if err != nil {
		return nil, usage("--registry %s: %v", s.registry, err)
	}
	generic, err := schema.Generic(client)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, topic string, b []byte) (any, error) {
		if guess && (len(b) < 5 || b[0] != 0) {
			return plain(b), nil
		}
		decoded, err := generic.DecodeJSON(ctx, topic, b)
		if err != nil && guess {
			return plain(b), nil
		}
		return json.RawMessage(decoded), err
	}, nil
}
