package producerstate

import (
	"slices"
	"sort"
)

// Txn is a transaction as one partition sees it: it begins with its first
// batch here.
type Txn struct {
	ProducerID  int64
	FirstOffset int64
	// Position is what Update was given with the first batch.
	Position int64
}

// Ended is a transaction that a marker has ended.
type Ended struct {
	Txn
	// LastOffset is the marker's.
	LastOffset int64
	// LastStable is where the first transaction began that was still open when
	// the marker was appended; the offset behind the marker if none was.
	LastStable int64
	Committed  bool
}

// txns are the transactions that hold the last stable offset back.
type txns struct {
	// open is in the order of first offsets, which is that of beginning.
	open []Txn
	// ended were ended by an update since the last Commit, in order.
	ended []Ended
	// unsettled were ended by markers that are not known to be committed. A
	// transaction that began later than one which ended after it does not
	// matter and is left out: so both offsets rise, and the first is the one
	// that holds the others back.
	unsettled []Ended
}

func (t *txns) begin(x Txn) { t.open = append(t.open, x) }

// find returns where the open transaction is, or would be, that begins at an
// offset.
func (t *txns) find(first int64) (i int, found bool) {
	i = sort.Search(len(t.open), func(i int) bool { return t.open[i].FirstOffset >= first })
	return i, i < len(t.open) && t.open[i].FirstOffset == first
}

// end ends the transaction that began at an offset.
func (t *txns) end(first, marker int64, committed bool) (Txn, bool) {
	i, found := t.find(first)
	if !found {
		return Txn{}, false
	}
	x := t.open[i]
	t.open = slices.Delete(t.open, i, i+1)
	stable := marker + 1
	if len(t.open) > 0 {
		stable = t.open[0].FirstOffset
	}
	t.ended = append(t.ended, Ended{Txn: x, LastOffset: marker, LastStable: stable, Committed: committed})
	return x, true
}

// reopen takes the end of a transaction back.
func (t *txns) reopen(x Txn) {
	i, _ := t.find(x.FirstOffset)
	t.open = slices.Insert(t.open, i, x)
	t.ended = t.ended[:len(t.ended)-1]
}

// commit makes the ends since the last commit final.
func (t *txns) commit() {
	for _, e := range t.ended {
		n := len(t.unsettled)
		for n > 0 && t.unsettled[n-1].FirstOffset >= e.FirstOffset {
			n--
		}
		t.unsettled = append(t.unsettled[:n], e)
	}
	t.ended = t.ended[:0]
}

func (t *txns) settle(highWatermark int64) {
	n := 0
	for n < len(t.unsettled) && t.unsettled[n].LastOffset < highWatermark {
		n++
	}
	t.unsettled = slices.Delete(t.unsettled, 0, n)
}

func (t *txns) firstUnstable() (Txn, bool) {
	switch {
	case len(t.unsettled) == 0 && len(t.open) == 0:
		return Txn{}, false
	case len(t.unsettled) == 0:
		return t.open[0], true
	case len(t.open) == 0 || t.unsettled[0].FirstOffset < t.open[0].FirstOffset:
		return t.unsettled[0].Txn, true
	}
	return t.open[0], true
}

func (t *txns) reset() {
	t.open, t.ended, t.unsettled = t.open[:0], t.ended[:0], t.unsettled[:0]
}

// Ended are the transactions that the updates since the last Commit have
// ended, in the order of their markers. It is valid until the next call.
func (s *State) Ended() []Ended { return s.txns.ended }

// Open are the transactions that are open, oldest first. It is valid until the
// next call.
func (s *State) Open() []Txn { return s.txns.open }

// Settle notes that everything below the high watermark is committed: a
// transaction whose marker lies there is over for good.
func (s *State) Settle(highWatermark int64) { s.txns.settle(highWatermark) }

// FirstUnstable is the transaction that holds the last stable offset back: of
// those that are open, and those whose marker is not committed, the one that
// began first; false for none. It counts what was committed by Commit.
func (s *State) FirstUnstable() (Txn, bool) { return s.txns.firstUnstable() }

// Ongoing reports whether a producer has a transaction open here in this
// epoch.
func (s *State) Ongoing(id int64, epoch int16) bool {
	p, ok := s.producers[id]
	return ok && p.TxnFirstOffset != none && p.Epoch == epoch
}
