package api

import (
	"errors"
	"strings"

	"github.com/millrace-io/millrace/broker/internal/commitlog"
	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/broker/internal/wait"
	"github.com/millrace-io/millrace/broker/internal/wire"
)

// fetchPart is one partition that a client fetches, for one request or for
// the life of a session.
type fetchPart struct {
	key partKey
	// What the client asked for last.
	offset       int64
	maxBytes     int
	currentEpoch int32
	lastEpoch    int32

	partition *replica.Partition // nil until it was found
	result    replica.ReadResult // its Range is taken out when it is sent
	err       error

	// What the client knows, in a session.
	known     bool
	sentHigh  int64
	sentStart int64

	// In a session: its place in the list of those to be read, and what puts
	// it there.
	session    *session
	due        bool
	prev, next *fetchPart
	watch      wait.Watch
	watched    *replica.Partition // the partition that watch is linked to
	isolation  replica.Isolation  // under which it is
}

// want takes over what a request says.
func (p *fetchPart) want(f *wire.FetchPartition) {
	p.offset, p.maxBytes = f.FetchOffset, int(max(f.MaxBytes, 0))
	p.currentEpoch, p.lastEpoch = f.CurrentLeaderEpoch, f.LastFetchedEpoch
}

// read reads up to limit bytes, or the first batch whatever its size if
// minOne is set (KIP-74). It returns the bytes found.
func (p *fetchPart) read(b *Broker, image *metadata.Image, isolation replica.Isolation, limit int, minOne bool) int {
	if p.partition == nil && !p.find(b, image) {
		return 0
	}
	p.follow(isolation)
	request := replica.ReadRequest{
		Offset: p.offset, MaxBytes: min(limit, p.maxBytes), MinOne: minOne,
		CurrentEpoch: p.currentEpoch, LastFetchedEpoch: p.lastEpoch, Isolation: isolation, Aborted: p.result.Aborted,
	}
	p.result, p.err = p.partition.Read(request)
	if gone := p.err; errors.Is(gone, replica.ErrClosed) || errors.Is(gone, replica.ErrDeleted) {
		// The topic may have been created anew under its name.
		if p.find(b, image) {
			p.follow(isolation)
			p.result, p.err = p.partition.Read(request)
		} else {
			p.err = gone // The image may not know of it yet.
		}
	}
	return p.result.Range.Size()
}

// follow links the session's watch to the partition, before it is read: what
// comes after the read is then told.
func (p *fetchPart) follow(isolation replica.Isolation) {
	if p.session == nil || p.watched == p.partition && p.isolation == isolation {
		return
	}
	p.watch.Unlink()
	p.watch.Owner = p
	p.watched, p.isolation = p.partition, isolation
	p.partition.Watch(&p.watch, &p.session.watches, isolation)
}

// drained says that the client has everything, so that there is nothing to
// read before the watch tells of something.
func (p *fetchPart) drained() bool {
	end := p.result.HighWatermark
	if p.isolation == replica.ReadCommitted {
		end = p.result.LastStable
	}
	return p.known && !p.urgent() && p.result.Range.Size() == 0 && p.offset >= end
}

// find looks the partition up among this broker's replicas.
func (p *fetchPart) find(b *Broker, image *metadata.Image) bool {
	var ok bool
	if p.key.id != (metadata.UUID{}) {
		p.partition, ok = b.Replicas.ByID(p.key.id, p.key.index)
	} else {
		p.partition, ok = b.Replicas.Partition(p.key.name, p.key.index)
	}
	if ok {
		p.key.name = p.partition.Topic() // It outlives the frame.
		return true
	}
	p.key.name = strings.Clone(p.key.name)
	p.result = replica.ReadResult{HighWatermark: -1, LastStable: -1, LogStart: -1, DivergingEpoch: -1, DivergingEnd: -1}
	p.err = b.absent(image, p.key.name, p.key.id, p.key.index)
	return false
}

// drop gives up what was read.
func (p *fetchPart) drop() {
	p.result.Range.Release()
	p.result.Range = commitlog.Range{}
}

// urgent says that the client must hear of the partition now, whatever the
// bytes: it has to do something about it.
func (p *fetchPart) urgent() bool { return p.err != nil || p.result.DivergingEpoch >= 0 }

// news says that an incremental response has to name the partition.
func (p *fetchPart) news() bool {
	return !p.known || p.urgent() || p.result.Range.Size() > 0 ||
		p.result.HighWatermark != p.sentHigh || p.result.LogStart != p.sentStart
}

// sent notes what the client knows once it has read the response. After an
// error everything is news.
func (p *fetchPart) sent() {
	p.known = p.err == nil
	p.sentHigh, p.sentStart = p.result.HighWatermark, p.result.LogStart
}
