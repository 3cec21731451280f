package ops

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/twmb/franz-go/pkg/kgo"
)

// MaxLine bounds one line of input to Produce.
const MaxLine = 16 << 20

// Produce says how lines become records.
type Produce struct {
	Topic string
	// Partition is the partition to write to; below 0 the key decides.
	Partition int32
	// Key is the key of every record; nil for none.
	Key []byte
	// Separator splits a line into key and value; empty: the line is the
	// value.
	Separator string
	Headers   []kgo.RecordHeader
	// Encode turns a line's value into the record's; nil keeps it.
	Encode func(ctx context.Context, value []byte) ([]byte, error)
}

// Produce sends a record for each line of in, in order, and returns how many
// the cluster acked. It stops at the first that is refused.
func (c *Cluster) Produce(ctx context.Context, in io.Reader, p Produce) (int, error) {
	if _, err := c.admin.BrokerMetadata(ctx); err != nil { // a producer would try for as long as a record may take
		return 0, c.explain("produce to topic "+p.Topic, err)
	}
	client, err := c.producer(p.Partition)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var acked int // promises run one at a time, and Flush waits for the last
	lines := bufio.NewReaderSize(in, 64<<10)
	for number := 1; ctx.Err() == nil; number++ {
		line, more, err := readLine(lines)
		if err != nil {
			cancel(fmt.Errorf("line %d: %w", number, err))
			break
		}
		if line == nil && !more {
			break
		}
		record, err := p.record(ctx, line)
		if err != nil {
			cancel(fmt.Errorf("line %d: %w", number, err))
			break
		}
		client.Produce(ctx, record, func(_ *kgo.Record, err error) {
			if err != nil {
				cancel(fmt.Errorf("line %d: %w", number, err))
				return
			}
			acked++
		})
		if !more {
			break
		}
	}
	flushErr := client.Flush(ctx)
	if cause := context.Cause(ctx); cause != nil {
		return acked, c.explain("produce to topic "+p.Topic, cause)
	}
	return acked, c.explain("produce to topic "+p.Topic, flushErr)
}

func (c *Cluster) producer(partition int32) (*kgo.Client, error) {
	opts := []kgo.Opt{
		kgo.RecordDeliveryTimeout(DefaultTimeout), kgo.DialTimeout(DefaultTimeout), kgo.AllowAutoTopicCreation(),
		kgo.UnknownTopicRetries(2),
	}
	if partition >= 0 {
		opts = append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	return c.profile.Client(opts...)
}

func (p Produce) record(ctx context.Context, line []byte) (*kgo.Record, error) {
	r := &kgo.Record{Topic: p.Topic, Key: p.Key, Value: line, Headers: p.Headers, Partition: max(p.Partition, 0)}
	if p.Separator != "" {
		key, value, found := bytes.Cut(line, []byte(p.Separator))
		if !found {
			return nil, fmt.Errorf("no separator %q between key and value", p.Separator)
		}
		r.Key, r.Value = key, value
	}
	if p.Encode == nil {
		return r, nil
	}
	var err error
	r.Value, err = p.Encode(ctx, r.Value)
	return r, err
}

// readLine returns the next line without its newline, in memory of its own;
// nil and false at the end.
func readLine(in *bufio.Reader) (line []byte, more bool, err error) {
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			line = line[:len(line)-1]
			if line == nil {
				line = []byte{}
			}
			return line, true, nil
		case err == io.EOF:
			return line, false, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, false, err
		case len(line) > MaxLine:
			return nil, false, fmt.Errorf("longer than %d bytes", MaxLine)
		}
	}
}
