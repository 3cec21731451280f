package replica

import (
	"sync/atomic"
	"time"

	"github.com/millrace-io/millrace/internal/record"
)

// counts is what has passed through a partition since it was opened. Rates
// are made of it by whoever asks for it twice.
type counts struct{ recordsIn, bytesIn, bytesOut atomic.Int64 }

// Counts is what has passed through a partition since it was opened: batches
// as they lie in the log, the broker's own markers among them.
type Counts struct{ RecordsIn, BytesIn, BytesOut int64 }

// Counts returns what has passed through the partition.
func (p *Partition) Counts() Counts {
	return Counts{p.counts.recordsIn.Load(), p.counts.bytesIn.Load(), p.counts.bytesOut.Load()}
}

// Sent counts bytes that a reader was given.
func (p *Partition) Sent(bytes int) { p.counts.bytesOut.Add(int64(bytes)) }

func (c *counts) appended(batches []record.Batch, size int) {
	var records int64
	for _, b := range batches {
		records += int64(b.Count())
	}
	c.recordsIn.Add(records)
	c.bytesIn.Add(int64(size))
}

// Lag is how far a reader is behind the high watermark.
type Lag struct {
	Records int64
	// Time is between the record that is read next and the newest one, by
	// their timestamps, as exactly as the headers of their batches tell. 0 if
	// nothing is behind.
	Time time.Duration
}

// Lag measures a reader whose next record is at offset. Below the log's start
// it counts from there: what is gone cannot be read any more.
func (p *Partition) Lag(offset int64) (Lag, error) {
	hw := p.highWatermark.Load()
	offset = max(offset, p.log.Start())
	if offset >= hw {
		return Lag{}, nil
	}
	next, err := p.log.TimeOf(offset)
	if err != nil {
		return Lag{}, p.readError(err)
	}
	newest, err := p.log.TimeOf(hw - 1)
	if err != nil {
		return Lag{}, p.readError(err)
	}
	behind := time.Duration(max(newest-next, 0)) * time.Millisecond
	return Lag{Records: hw - offset, Time: behind}, nil
}
