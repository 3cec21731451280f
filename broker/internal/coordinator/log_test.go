package coordinator

import (
	"bytes"
	"errors"
	"sync"

	"github.com/millrace-io/millrace/broker/internal/turn"
	"github.com/millrace-io/millrace/internal/record"
)

var errDisk = errors.New("disk on fire")

// memLog is a partition in memory whose high watermark moves when the test
// says so.
type memLog struct {
	mu        sync.Mutex
	batches   []record.Batch
	end       int64
	hw        int64
	automatic bool // the high watermark follows every append
	fail      error
	unread    error // what Replay fails with
	waits     []wait
	fenced    int16 // epochs below are
}

type wait struct {
	offset int64
	done   func(error)
}

func (l *memLog) Append(b record.Batch) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return 0, l.fail
	}
	b = bytes.Clone(b)
	b.Stamp(l.end, 0)
	l.batches = append(l.batches, b)
	l.end = b.LastOffset() + 1
	if l.automatic {
		l.hw = l.end
	}
	return l.end - 1, nil
}

func (l *memLog) Mark(m Marker) (int64, error) {
	var b record.Builder
	b.SetProducer(m.ProducerID, m.ProducerEpoch, firstSequence)
	b.SetTransactional(true)
	b.SetControl(true)
	key := []byte{0, 0, 0, abortMarker}
	if m.Commit {
		key[3] = commitMarker
	}
	b.Append(record.Record{Key: key, Value: make([]byte, 6)})
	batch, err := b.Build()
	if err != nil {
		return 0, err
	}
	return l.Append(batch)
}

func (l *memLog) VerifyProducer(turn.Producer) Guard { return 1 }

func (l *memLog) CheckProducer(p turn.Producer, _ Guard) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.Epoch < l.fenced {
		return ErrFenced
	}
	return nil
}

func (l *memLog) Epoch() int32 { return 7 }

func (l *memLog) Await(offset int64, done func(error)) {
	l.mu.Lock()
	passed := l.hw > offset
	if !passed {
		l.waits = append(l.waits, wait{offset, done})
	}
	l.mu.Unlock()
	if passed {
		done(nil)
	}
}

func (l *memLog) Replay(visit func(record.Batch) error) error {
	l.mu.Lock()
	batches, err := l.batches, l.unread
	l.mu.Unlock()
	if err != nil {
		return err
	}
	for _, b := range batches {
		if err := visit(b); err != nil {
			return err
		}
	}
	return nil
}

// commit moves the high watermark to the end.
func (l *memLog) commit() { l.settle(nil) }

// lose ends what is waited for with an error.
func (l *memLog) lose(err error) { l.settle(err) }

func (l *memLog) settle(err error) {
	l.mu.Lock()
	if err == nil {
		l.hw = l.end
	}
	waits := l.waits
	l.waits = nil
	l.mu.Unlock()
	for _, w := range waits {
		w.done(err)
	}
}

func (l *memLog) failAppends(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail = err
}

func (l *memLog) size() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end
}
