package sim

import (
	"fmt"

	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/internal/record"
)

// consume reads from any offset below the high watermark, as a Fetch does, and
// holds what comes against what was appended.
func (w *World) consume(at partitionID) error {
	p := w.life.partition(at)
	if p == nil || p.HighWatermark() <= p.LogStart() {
		return nil
	}
	m, hw := w.logs[at], p.HighWatermark()
	offset := p.LogStart() + w.steps.Int64N(hw-p.LogStart())
	_, epoch := p.Leader()
	res, err := p.Read(replica.ReadRequest{
		Offset: offset, MaxBytes: 1 + w.steps.IntN(8<<10), MinOne: true, CurrentEpoch: epoch, LastFetchedEpoch: -1,
	})
	if err != nil {
		return fmt.Errorf("I2: %s: read of %d below the high watermark %d: %w", m.name, offset, hw, err)
	}
	defer res.Range.Release()
	data, err := res.Range.AppendTo(nil)
	if err != nil {
		return fmt.Errorf("I2: %s: read of %d: %w", m.name, offset, err)
	}
	if len(data) == 0 {
		return fmt.Errorf("I2: %s: nothing to read at %d, below the high watermark %d", m.name, offset, hw)
	}
	return m.read(data, offset, hw)
}

// read checks the batches that a fetch returned.
func (m *logModel) read(data []byte, offset, hw int64) error {
	for first := true; len(data) > 0; first = false {
		b, rest, err := record.Next(data)
		if err != nil {
			return fmt.Errorf("I5: %s: read of %d: %w", m.name, offset, err)
		}
		switch {
		case first && (b.BaseOffset() > offset && !m.compacted || b.LastOffset() < offset):
			return fmt.Errorf("I5: %s: read of %d begins with %v", m.name, offset, b)
		case b.LastOffset() >= hw:
			return fmt.Errorf("I8: %s: %v was read under a high watermark of %d", m.name, b, hw)
		}
		e := m.at(b.BaseOffset())
		if e == nil {
			return fmt.Errorf("I5: %s: %v was never appended", m.name, b)
		}
		check := e.check
		if m.compacted {
			check = e.checkRest
		}
		if err := check(b); err != nil {
			return fmt.Errorf("I5: %s: %w", m.name, err)
		}
		data = rest
	}
	return nil
}
