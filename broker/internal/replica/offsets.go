package replica

import "github.com/millrace-io/millrace/broker/internal/commitlog"

// Timestamps of ListOffsets with a meaning of their own.
const (
	Latest        int64 = -1
	Earliest      int64 = -2
	MaxTimestamp  int64 = -3 // KIP-734
	EarliestLocal int64 = -4 // KIP-405: nothing is tiered, so the earliest
	LatestTiered  int64 = -5 // KIP-405: nothing is tiered, so none
)

// Offset answers ListOffsets. Where nothing was found, all are -1.
type Offset struct {
	Offset      int64
	Timestamp   int64 // of the record, -1 for the ends of the log
	LeaderEpoch int32
}

var noOffset = Offset{Offset: -1, Timestamp: -1, LeaderEpoch: -1}

// ListOffset returns the first record that is visible under an isolation level
// and whose timestamp is not below the one asked for, or what one of the
// special timestamps means.
func (p *Partition) ListOffset(timestamp int64, currentEpoch int32, isolation Isolation) (Offset, error) {
	role := p.role.Load()
	if err := role.check(currentEpoch); err != nil {
		return noOffset, err
	}
	end := p.lastStable.Load()
	hw := p.highWatermark.Load()
	if isolation != ReadCommitted {
		end = hw
	}
	// KIP-207: what a new leader inherited may be committed, and someone may
	// have seen it; to answer with less would be going back.
	lags := hw < role.epochStart
	switch {
	case timestamp == Earliest || timestamp == EarliestLocal:
		start := p.log.Start()
		return Offset{start, -1, p.log.EpochAt(start)}, nil
	case timestamp == LatestTiered:
		return noOffset, nil
	case timestamp == Latest:
		if lags {
			return noOffset, ErrOffsetNotAvailable
		}
		return Offset{end, -1, role.epoch}, nil
	case timestamp < MaxTimestamp:
		return noOffset, ErrUnsupportedTimestamp
	}
	return p.byTime(timestamp, end, lags)
}

// byTime looks a record up by its timestamp or finds the largest.
func (p *Partition) byTime(timestamp, end int64, lags bool) (Offset, error) {
	find := func() (commitlog.Stamp, bool, error) { return p.log.OffsetForTime(timestamp) }
	if timestamp == MaxTimestamp {
		find = p.log.MaxTimestamp
	}
	at, found, err := find()
	switch {
	case err != nil:
		return noOffset, p.readError(err)
	case found && at.Offset < end:
		return Offset{at.Offset, at.Timestamp, p.log.EpochAt(at.Offset)}, nil
	case lags:
		return noOffset, ErrOffsetNotAvailable
	}
	return noOffset, nil
}

// EpochEnd answers OffsetForLeaderEpoch: the largest leader epoch that is at
// most the one asked for, and where it ends; -1 and -1 for one that is not
// known here.
func (p *Partition) EpochEnd(currentEpoch, epoch int32) (found int32, end int64, err error) {
	role := p.role.Load()
	if err := role.check(currentEpoch); err != nil {
		return -1, -1, err
	}
	found, end = p.log.EpochEnd(epoch)
	return found, end, nil
}
