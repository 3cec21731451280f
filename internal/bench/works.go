package bench

import (
	"context"
	"time"
)

// work is a workload of the suite.
type work struct {
	name, doc string
	sides     func(Suite) []Side
	gates     []gate
}

// load is what runs on a target.
type load interface {
	Run(ctx context.Context, t *Target) (Sample, error)
}

// works are the workloads that have goals. Raw loads use bare connections;
// the others franz-go.
var works = []work{
	{
		name: "raw-1mib", doc: "batches of 1 MiB of records of 1 KiB, acks=1, page cache; 4 connections, 2 in flight",
		sides: rawSides(RawProduce{RecordBytes: 1 << 10, BatchBytes: mebibyte, Partitions: 4, Connections: 4, InFlight: 2, Acks: 1}),
		gates: []gate{cpuGate("CPU at most 1.3 x floor", 1.3, floorSide, oursSide), peerGate("CPU at most 0.45 x against", 0.45)},
	}, {
		name: "raw-100b", doc: "the same of records of 100 B",
		sides: rawSides(RawProduce{RecordBytes: 100, BatchBytes: mebibyte, Partitions: 4, Connections: 4, InFlight: 2, Acks: 1}),
		gates: []gate{budgetGate, peerGate("CPU at most 0.6 x against", 0.6)},
	}, {
		name: "raw-16kib", doc: "batches of 16 KiB, acks=1, page cache; 4 connections, 5 in flight",
		sides: rawSides(RawProduce{RecordBytes: 1 << 10, BatchBytes: 16 << 10, Partitions: 4, Connections: 4, InFlight: 5, Acks: 1}),
		gates: []gate{cpuGate("CPU at most 1.15 x floor", 1.15, floorSide, oursSide), peerGate("CPU at most 0.35 x against", 0.35)},
	}, {
		name: "single-1", doc: "requests of one record of 1 KiB, acks=1, page cache; 1 connection, 1 in flight",
		sides: rawSides(RawProduce{RecordBytes: 1 << 10, Partitions: 1, Connections: 1, InFlight: 1, Acks: 1}),
		gates: []gate{requestGate, peerGate("CPU at most 0.55 x against", 0.55)},
	}, {
		name: "single-32", doc: "the same with 32 in flight",
		sides: rawSides(RawProduce{RecordBytes: 1 << 10, Partitions: 1, Connections: 1, InFlight: 32, Acks: 1}),
		gates: []gate{requestGate, peerGate("CPU at most 0.15 x against", 0.15)},
	}, {
		name: "fsync-1mib", doc: "batches of 1 MiB, acks=all, with fsync and without; 4 connections, 2 in flight",
		sides: durableSides(RawProduce{RecordBytes: 1 << 10, BatchBytes: mebibyte, Partitions: 4, Connections: 4, InFlight: 2, Acks: -1}),
		gates: []gate{
			rateGate("MB/s at least 85 % of own without fsync", 0.85, oursSide, oursFsync),
			cpuGate("CPU at most 1.6 x own without fsync", 1.6, oursSide, oursFsync),
			{text: "MB/s at least the probe's stream with fdatasync per MiB", atLeast: true, measure: func(sides map[string]Result, p Probe) (float64, float64, bool) {
				return value(sides[oursFsync].MBPerSecond), p.SyncedMBPerSecond, true
			}},
			rateGate("throughput at least 5 x against with fsync", 5, againstFsync, oursFsync),
		},
	}, {
		name: "fsync-64", doc: "64 producers of one record of 1 KiB each, one partition, acks=all, 1 in flight",
		sides: durableSides(RawProduce{RecordBytes: 1 << 10, Partitions: 1, Connections: 64, InFlight: 1, Acks: -1}),
		gates: []gate{
			{text: "acks/s at least 5 x the probe's fdatasync/s", atLeast: true, measure: func(sides map[string]Result, p Probe) (float64, float64, bool) {
				return value(sides[oursFsync].RequestsPerSecond), 5 * p.SyncsPerSecond, true
			}},
			cpuGate("CPU at most 1.6 x own without fsync", 1.6, oursSide, oursFsync),
			rateGate("throughput at least 10 x against with fsync", 10, againstFsync, oursFsync),
		},
	}, {
		name: "partitions-1000", doc: "1,000 partitions, requests of 4 KiB, acks=all; 50 connections, 20 in flight",
		sides: durableSides(RawProduce{RecordBytes: 1 << 10, BatchBytes: 4 << 10, Partitions: 1000, Connections: 50, InFlight: 20, Acks: -1}),
		gates: []gate{
			rateGate("throughput at least 55 % of own without fsync", 0.55, oursSide, oursFsync),
			cpuGate("CPU at most 1.4 x own without fsync", 1.4, oursSide, oursFsync),
			{text: "p99 at most 2 x own without fsync, ms", measure: func(sides map[string]Result, _ Probe) (float64, float64, bool) {
				return value(sides[oursFsync].P99), 2 * value(sides[oursSide].P99), true
			}},
			rateGate("throughput at least 5 x against with fsync", 5, againstFsync, oursFsync),
		},
	}, {
		name: "fetch", doc: "catch-up from the page cache, 1 MiB a fetch, 4 connections; the floor by sendfile and by copying",
		sides: fetchSides,
		gates: []gate{
			{text: "CPU at most 1.2 x the better floor, s/GB", measure: func(sides map[string]Result, _ Probe) (float64, float64, bool) {
				ours, floor := sides[oursSide].CPUPerGB, betterFloor(sides).CPUPerGB
				return value(ours), 1.2 * value(floor), ours != nil && floor != nil
			}},
			{text: "MB/s at least 80 % of that floor", atLeast: true, measure: func(sides map[string]Result, _ Probe) (float64, float64, bool) {
				return value(sides[oursSide].MBPerSecond), 0.8 * value(betterFloor(sides).MBPerSecond), true
			}},
			peerGate("CPU at most 1.1 x against", 1.1),
		},
	}, {
		name: "e2e", doc: "end to end at 1,000 records of 1 KiB a second, linger 0, franz-go",
		sides: endToEndSides,
		gates: []gate{
			{text: "p50 at most 9 round trips of TCP, ms", measure: func(sides map[string]Result, p Probe) (float64, float64, bool) {
				return value(sides[oursSide].P50), 9 * p.RoundTrip.Seconds() * 1e3, true
			}},
			{text: "with fsync: one fdatasync more, ms", measure: func(sides map[string]Result, p Probe) (float64, float64, bool) {
				return value(sides[oursFsync].P50), (9*p.RoundTrip + p.SyncP50).Seconds() * 1e3, true
			}},
		},
	}, {
		name: "connections", doc: "batches of 4 KiB, acks=1, page cache, 1 in flight, over 10 and over 900 connections, which max.connections.per.ip allows by default",
		sides: connectionSides,
		gates: []gate{
			cpuGate("CPU at most 1.2 x own at 10 connections", 1.2, "millrace 10", "millrace 900"),
			{text: "memory per connection at most 16 KB", measure: func(sides map[string]Result, _ Probe) (float64, float64, bool) {
				few, many := sides["millrace 10"].ResidentMB, sides["millrace 900"].ResidentMB
				return (value(many) - value(few)) * 1e3 / (manyConnections - fewConnections), 16, few != nil && many != nil
			}},
		},
	}, {
		name: "client-1kib", doc: "franz-go, records of 1 KiB, batches of up to 1 MiB, acks=1, page cache, 4 partitions",
		sides: pageCacheSides(func(l Limit) load {
			return Produce{RecordBytes: 1 << 10, BatchBytes: mebibyte, Partitions: 4, Producers: 1, Acks: 1, Durability: PageCache, Limit: l}
		}),
		gates: []gate{peerGate("CPU at most 0.45 x against", 0.45)},
	}, {
		name: "client-100b", doc: "the same with records of 100 B",
		sides: pageCacheSides(func(l Limit) load {
			return Produce{RecordBytes: 100, BatchBytes: mebibyte, Partitions: 4, Producers: 1, Acks: 1, Durability: PageCache, Limit: Limit{Bytes: l.Bytes / 4, Time: l.Time}}
		}),
		gates: []gate{peerGate("CPU at most 0.6 x against", 0.6)},
	}, {
		name: "client-fetch", doc: "franz-go reads 4 partitions of records of 1 KiB from the page cache",
		sides: pageCacheSides(func(l Limit) load { return Consume{Fill: fill(l)} }),
		gates: []gate{peerGate("CPU at most 1.1 x against", 1.1)},
	},
}

const (
	mebibyte        = 1 << 20
	fewConnections  = 10
	manyConnections = 900
)

func fill(l Limit) RawProduce {
	return RawProduce{RecordBytes: 1 << 10, BatchBytes: 256 << 10, Partitions: 4, Connections: 4, InFlight: 2, Acks: 1, Durability: PageCache, Limit: Limit{Bytes: l.Bytes}}
}

// betterFloor is the cheaper of the two ways to send a file.
func betterFloor(sides map[string]Result) Result {
	sendfile, copying := sides["floor sendfile"], sides["floor copy"]
	if value(copying.CPUPerGB) < value(sendfile.CPUPerGB) {
		return copying
	}
	return sendfile
}

// on is a side that puts a load on a target.
func on(name string, t *Target, l load) Side {
	return Side{Name: name, Run: func(ctx context.Context) (Sample, error) { return l.Run(ctx, t) }}
}

// pageCacheSides is a load on both servers.
func pageCacheSides(of func(Limit) load) func(Suite) []Side {
	return func(s Suite) []Side {
		sides := []Side{on(oursSide, s.Ours, of(s.Limit))}
		if s.Against != nil {
			sides = append(sides, on(againstSide, s.Against, of(s.Limit)))
		}
		return sides
	}
}

// rawSides is a raw load on the floor and on both servers.
func rawSides(p RawProduce) func(Suite) []Side {
	return func(s Suite) []Side {
		p.Durability, p.Limit = PageCache, s.Limit
		floor := Side{Name: floorSide, Run: func(ctx context.Context) (Sample, error) { return p.Floor(ctx, s.Dir) }}
		return append([]Side{floor}, pageCacheSides(func(Limit) load { return p })(s)...)
	}
}

// durableSides is a raw load with and without fsync.
func durableSides(p RawProduce) func(Suite) []Side {
	return func(s Suite) []Side {
		p.Limit = s.Limit
		cached, synced := p, p
		cached.Durability, synced.Durability = PageCache, Fsync
		return bothModes(s, cached, synced)
	}
}

func bothModes(s Suite, cached, synced load) []Side {
	sides := []Side{on(oursSide, s.Ours, cached), on(oursFsync, s.Ours, synced)}
	if s.Against != nil {
		sides = append(sides, on(againstSide, s.Against, cached), on(againstFsync, s.Against, synced))
	}
	return sides
}

func fetchSides(s Suite) []Side {
	f := RawFetch{MaxBytes: mebibyte, Partitions: 4, Fill: fill(s.Limit)}
	floor := func(name string, copying bool) Side {
		return Side{Name: name, Run: func(ctx context.Context) (Sample, error) { return f.Floor(ctx, s.Dir, copying) }}
	}
	return append([]Side{floor("floor sendfile", false), floor("floor copy", true)}, pageCacheSides(func(Limit) load { return f })(s)...)
}

func endToEndSides(s Suite) []Side {
	e := EndToEnd{RecordBytes: 1 << 10, Rate: 1000, Partitions: 1, Acks: -1, Durability: PageCache, Time: max(2*s.Limit.Time, time.Second)}
	synced := e
	synced.Durability = Fsync
	return bothModes(s, e, synced)
}

func connectionSides(s Suite) []Side {
	few := RawProduce{RecordBytes: 1 << 10, BatchBytes: 4 << 10, Partitions: 4, Connections: fewConnections, InFlight: 1, Acks: 1, Durability: PageCache, Limit: s.Limit}
	many := few
	many.Connections = manyConnections
	sides := []Side{on("millrace 10", s.Ours, few), on("millrace 900", s.Ours, many)}
	if s.Against != nil {
		sides = append(sides, on("against 10", s.Against, few), on("against 900", s.Against, many))
	}
	return sides
}
