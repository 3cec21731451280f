package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
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
	var from, decode, format string
	var keys bool
	c := &cobra.Command{
		Use: "consume TOPIC...", Short: "Print the records of topics", Args: atLeastOne("TOPIC"),
		Long: "Print the records of topics: the value a line, or JSON with everything that a record has.\nWithout --follow the command ends where the topics ended when it began.",
	}
	c.Flags().StringVarP(&from, "offset", "o", "start", "where to begin: start, end, N, -N, @time, +duration")
	c.Flags().IntVarP(&q.Max, "number", "n", 0, "end after so many records")
	c.Flags().StringVarP(&q.Group, "group", "g", "", "read as a member of a consumer group, and commit")
	c.Flags().BoolVarP(&q.Follow, "follow", "f", false, "wait for new records")
	c.Flags().BoolVar(&q.Committed, "read-committed", false, "leave out records of transactions that are under way or were aborted")
	c.Flags().StringVar(&decode, "decode", "auto", "how values are shown: auto, avro, json, string or hex")
	c.Flags().BoolVar(&keys, "keys", false, "print the key and a tab before the value")
	c.Flags().StringVar(&format, "output", "text", "text, or json for an object a line with everything that a record has")
	c.PreRunE = func(c *cobra.Command, _ []string) error {
		if err := oneOf(c, "--decode", decode, decodings); err != nil {
			return err
		}
		return oneOf(c, "--output", format, []string{"text", "json", "jsonl"})
	}
	c.RunE = s.withCluster(func(ctx context.Context, c *ops.Cluster, args []string) error {
		var err error
		if q.From, err = ops.ParseFrom(from, time.Now()); err != nil {
			return usage(nil, "--offset %v", err)
		}
		show, err := s.decoder(decode)
		if err != nil {
			return err
		}
		q.Topics, s.serving = args, q.Follow
		var failed error
		err = c.Consume(ctx, q, func(r *kgo.Record) bool {
			failed = s.printRecord(ctx, r, printing{show, format == "text", keys})
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
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	Timestamp time.Time `json:"timestamp"`
	Key       any       `json:"key"`
	Value     any       `json:"value"`
	Headers   []header  `json:"headers,omitempty"`
}

// header is one of a record's headers: a key may come more than once.
type header struct {
	Key   string `json:"key"`
	Value any    `json:"value"`
}

type decoder func(ctx context.Context, topic string, data []byte) (any, error)

// decodings are the values of --decode.
var decodings = []string{"auto", "avro", "json", "string", "hex"}

// printing is how records are printed.
type printing struct {
	value      decoder
	text, keys bool
}

func (s *shell) printRecord(ctx context.Context, r *kgo.Record, how printing) error {
	var v any // a tombstone has no value to decode
	var err error
	if r.Value != nil {
		if v, err = how.value(ctx, r.Topic, r.Value); err != nil {
			return undecodable(r, s.registryFault(err))
		}
	}
	if how.text {
		var line bytes.Buffer
		if how.keys {
			fmt.Fprintf(&line, "%s\t", text(plain(r.Key)))
		}
		fmt.Fprintf(&line, "%s\n", text(v))
		_, err = s.out.Write(line.Bytes())
		return err
	}
	out := shown{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp.UTC(), Key: plain(r.Key), Value: v}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, header{h.Key, plain(h.Value)})
	}
	return s.lines(out)
}

// undecodable says which record could not be shown.
func undecodable(r *kgo.Record, err error) error {
	f := *asFault(err)
	f.Message = fmt.Sprintf("%s-%d, offset %d: %s", r.Topic, r.Partition, r.Offset, f.Error())
	f.Err = nil
	if f.Code == ops.CodeFailed || f.Code == ops.CodeRegistry {
		f.Code, f.Try = ops.CodeUndecodable, "--decode string"
	}
	return &f
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
				return nil, errors.New("the value is not JSON")
			}
			return json.RawMessage(b), nil
		}, nil
	default:
		return s.avroDecoder(name == "auto")
	}
}

// avroDecoder shows Avro as JSON. With guess, only what begins as a frame of
// the registry is taken for Avro, and text where the registry does not know it.
func (s *shell) avroDecoder(guess bool) (decoder, error) {
	client, err := schema.NewClient(s.registry)
	if err != nil {
		return nil, usage(nil, "--registry %s: %v", s.registry, err)
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
