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
	isolation := replica.ReadUncommitted
	if len(w.transactors) > 0 && w.steps.IntN(2) == 0 {
		isolation = replica.ReadCommitted
	}
	batches, res, err := w.fetch(p, offset, isolation)
	if err != nil {
		return fmt.Errorf("I2: %s: read of %d below the high watermark %d: %w", m.name, offset, hw, err)
	}
	if isolation == replica.ReadCommitted {
		if err := m.committedOnly(batches, res); err != nil {
			return err
		}
		hw = res.LastStable
	}
	if len(batches) == 0 && offset < hw {
		return fmt.Errorf("I2: %s: nothing to read at %d, below %d", m.name, offset, hw)
	}
	return m.read(batches, offset, hw)
}

// fetch reads what one fetch brings.
func (w *World) fetch(p *replica.Partition, offset int64, isolation replica.Isolation) (batches []record.Batch, res replica.ReadResult, err error) {
	_, epoch := p.Leader()
	res, err = p.Read(replica.ReadRequest{
		Offset: offset, MaxBytes: 1 + w.steps.IntN(8<<10), MinOne: true, CurrentEpoch: epoch, LastFetchedEpoch: -1,
		Isolation: isolation,
	})
	if err != nil {
		return nil, res, err
	}
	defer res.Range.Release()
	data, err := res.Range.AppendTo(nil)
	for len(data) > 0 && err == nil {
		var b record.Batch
		if b, data, err = record.Next(data); err == nil {
			batches = append(batches, b)
		}
	}
	return batches, res, err
}

// read checks the batches that a fetch returned.
func (m *logModel) read(batches []record.Batch, offset, hw int64) error {
	for i, b := range batches {
		switch {
		case i == 0 && (b.BaseOffset() > offset && !m.compacted || b.LastOffset() < offset):
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
	}
	return nil
}
