package replica

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/millrace-io/millrace/internal/record"
)

// TimestampBounds is how far a record's timestamp may lie from this broker's
// clock (message.timestamp.before.max.ms and after.max.ms, KIP-937).
type TimestampBounds struct{ Before, After time.Duration }

// Recompression is the codec that a topic stores its batches in, where that is
// not the producer's choice (compression.type).
type Recompression struct {
	Codec record.Codec
	Level int
}

// RecordsError refuses a batch and names the records at fault (KIP-467).
type RecordsError struct {
	// Kind is the sentinel that becomes Kafka's code.
	Kind    error
	Records []RecordError
	// More is how many records beyond these are at fault too.
	More int
}

// RecordError is what is wrong with one record, by its place in the batch.
type RecordError struct {
	Index   int32
	Message string
}

// Error implements error.
func (e *RecordsError) Error() string {
	return fmt.Sprintf("%v: %d records are at fault; record %d: %s", e.Kind, len(e.Records)+e.More, e.Records[0].Index, e.Records[0].Message)
}

// Unwrap implements errors.Unwrap.
func (e *RecordsError) Unwrap() error { return e.Kind }

// maxRecordErrors bounds what a batch of a million bad records is answered.
const maxRecordErrors = 1000

func (e *RecordsError) add(index int32, message string) {
	if len(e.Records) == maxRecordErrors {
		e.More++
		return
	}
	e.Records = append(e.Records, RecordError{index, message})
}

// rules are what a topic asks of the records themselves, so that a batch has
// to be opened. Most topics ask for none of it and have no rules: what their
// headers tell is checked in admit.
type rules struct {
	topic    string
	keys     bool // compacted: a record without a key could never go
	expand   bool // validate.records=full
	times    *TimestampBounds
	compress *Recompression
	maxBytes int
}

// rulesOf returns nil where no rule needs the records.
func rulesOf(topic string, c *Config) *rules {
	r := &rules{topic: topic, keys: c.Compact, expand: c.ValidateRecords, compress: c.Compression, maxBytes: c.MaxMessageBytes}
	if c.Timestamps != nil && !c.AppendTime && c.Timestamps.Before < math.MaxInt64 {
		// The header tells the largest timestamp but not the smallest.
		r.times = c.Timestamps
	}
	if !r.keys && !r.expand && r.times == nil && r.compress == nil {
		return nil
	}
	return r
}

// conform checks a client's batch against the rules and returns it as it is to
// be stored. It is called without locks.
func (r *rules) conform(b record.Batch, now time.Time) (record.Batch, error) {
	if r.maxBytes > 0 && len(b) > r.maxBytes {
		return b, fmt.Errorf("%w: %d bytes, %s allows %d", ErrMessageTooLarge, len(b), r.topic, r.maxBytes)
	}
	packed := b.Codec() != record.None
	if !packed && !r.keys && r.times == nil && (r.compress == nil || r.compress.Codec == record.None) {
		return b, nil // Its records were walked already.
	}
	if packed && !r.keys && !r.expand && r.times == nil && r.compress.Codec == b.Codec() {
		return b, nil
	}
	o := openers.Get().(*opener)
	defer openers.Put(o)
	records, err := o.Expand(b)
	if err != nil {
		return b, err
	}
	if packed {
		if err := b.CheckExpanded(records); err != nil {
			return b, err
		}
	}
	if err := r.checkRecords(b, records, now); err != nil {
		return b, err
	}
	if r.compress == nil || r.compress.Codec == b.Codec() {
		return b, nil
	}
	return o.Recompress(make([]byte, 0, len(b)), b, records, r.compress.Codec, r.compress.Level)
}

// opener is what opening a batch needs, kept for the next one.
type opener struct {
	record.Decompressor
	record.Compressor
}

var openers = sync.Pool{New: func() any { return new(opener) }}

// checkRecords goes over the records. A missing key is told before a bad
// timestamp: no retry will mend it.
func (r *rules) checkRecords(b record.Batch, records []byte, now time.Time) error {
	if !r.keys && r.times == nil {
		return nil
	}
	keyless := &RecordsError{Kind: ErrInvalidRecord}
	mistimed := &RecordsError{Kind: ErrInvalidTimestamp}
	window := r.times.window(now)
	err := b.Scan(records, func(raw record.Raw) error {
		if r.keys && raw.Key == nil {
			keyless.add(raw.OffsetDelta, "a compacted topic takes no record without a key")
		}
		if r.times != nil {
			if problem := window.check(raw.Timestamp); problem != "" {
				mistimed.add(raw.OffsetDelta, problem)
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case len(keyless.Records) > 0:
		return keyless
	case len(mistimed.Records) > 0:
		return mistimed
	}
	return nil
}

// window is the range of timestamps that is taken, in milliseconds.
type window struct{ from, to int64 }

func (t *TimestampBounds) window(now time.Time) window {
	w := window{math.MinInt64, math.MaxInt64}
	if t == nil {
		return w
	}
	ms := now.UnixMilli()
	if before := t.Before.Milliseconds(); t.Before < math.MaxInt64 {
		w.from = ms - before
	}
	if after := t.After.Milliseconds(); t.After < math.MaxInt64 {
		w.to = ms + after
	}
	return w
}

// noTimestamp is the timestamp of a record that has none.
const noTimestamp = -1

func (w window) check(ms int64) (problem string) {
	switch {
	case ms == noTimestamp:
		return ""
	case ms < noTimestamp:
		return fmt.Sprintf("timestamp %d is negative", ms)
	case ms > w.to:
		return fmt.Sprintf("timestamp %d is above %d, the broker's clock and message.timestamp.after.max.ms", ms, w.to)
	case ms < w.from:
		return fmt.Sprintf("timestamp %d is below %d, the broker's clock less message.timestamp.before.max.ms", ms, w.from)
	}
	return ""
}

// checkTimes checks what the header tells of a client's batch. The caller
// holds mu.
func (p *Partition) checkTimes(b record.Batch, now time.Time) error {
	if b.LogAppendTime() {
		return fmt.Errorf("%w: only the broker says that a timestamp is that of the append", ErrInvalidTimestamp)
	}
	t := p.config.Timestamps
	if t == nil || p.config.AppendTime {
		return nil
	}
	window := t.window(now)
	for _, ms := range [...]int64{b.MaxTimestamp(), b.BaseTimestamp()} {
		if problem := window.check(ms); problem != "" {
			return fmt.Errorf("%w: %s", ErrInvalidTimestamp, problem)
		}
	}
	return nil
}

// explain names the records whose timestamps are why a batch was refused. It
// is off the path of batches that are taken.
func (p *Partition) explain(b record.Batch, err error) error {
	if _, known := errors.AsType[*RecordsError](err); known || !errors.Is(err, ErrInvalidTimestamp) {
		return err
	}
	p.mu.Lock()
	r := rules{topic: p.topic, times: p.config.Timestamps}
	p.mu.Unlock()
	o := openers.Get().(*opener)
	defer openers.Put(o)
	records, expandErr := o.Expand(b)
	if expandErr != nil || r.times == nil {
		return err
	}
	if detailed, ok := errors.AsType[*RecordsError](r.checkRecords(b, records, p.deps.Now())); ok {
		return detailed
	}
	return err
}
