package bench

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// Probe is what the machine under the servers can do. Every figure is of this
// moment: a floor belongs to the run it was measured in.
type Probe struct {
	// RoundTrip is the median of 100 bytes there and back over loopback TCP.
	RoundTrip time.Duration `json:"tcp_round_trip_ns"`
	// Sync is how long fdatasync takes after an append of 4 KiB.
	SyncP50 time.Duration `json:"fdatasync_p50_ns"`
	SyncP99 time.Duration `json:"fdatasync_p99_ns"`
	// SyncsPerSecond is how many of them one file takes, one after the other.
	SyncsPerSecond float64 `json:"fdatasyncs_per_s"`
	// SyncedMBPerSecond is a stream of appends with an fdatasync per MiB.
	SyncedMBPerSecond float64 `json:"synced_mb_per_s"`
	// AppendMBPerSecond is a stream of appends of 1 MiB to the page cache.
	AppendMBPerSecond float64 `json:"append_mb_per_s"`
}

const (
	probeRounds = 5000
	probeSyncs  = 1000
	probeStream = 256 << 20
)

// Measure takes the probe's figures, with files below dir, in some seconds.
func Measure(ctx context.Context, dir string) (Probe, error) {
	var p Probe
	var err error
	if p.RoundTrip, err = roundTrip(ctx); err != nil {
		return p, err
	}
	var h Histogram
	wall, err := appendTo(dir, 4<<10, probeSyncs*(4<<10), 4<<10, &h)
	if err != nil {
		return p, err
	}
	p.SyncP50, p.SyncP99 = h.Quantile(0.5), h.Quantile(0.99)
	p.SyncsPerSecond = probeSyncs / wall.Seconds()
	if wall, err = appendTo(dir, 1<<20, probeStream, 1<<20, &h); err != nil {
		return p, err
	}
	p.SyncedMBPerSecond = probeStream / 1e6 / wall.Seconds()
	if wall, err = appendTo(dir, 1<<20, probeStream, 0, &h); err != nil {
		return p, err
	}
	p.AppendMBPerSecond = probeStream / 1e6 / wall.Seconds()
	return p, ctx.Err()
}

// appendTo writes total bytes to a fresh file, chunk by chunk, with an
// fdatasync after each syncEvery bytes; 0 for none.
func appendTo(dir string, chunk, total, syncEvery int, syncs *Histogram) (time.Duration, error) {
	f, err := os.CreateTemp(dir, "bench-append-")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	data := payload(chunk)
	began := time.Now()
	for written, unsynced := 0, 0; written < total; {
		n, err := f.Write(data)
		if err != nil {
			return 0, err
		}
		written += n
		if unsynced += n; syncEvery == 0 || unsynced < syncEvery {
			continue
		}
		at := time.Now()
		if err := datasync(f); err != nil {
			return 0, err
		}
		syncs.Add(time.Since(at))
		unsynced = 0
	}
	return time.Since(began), nil
}

// roundTrip is the median of probeRounds echoes.
func roundTrip(ctx context.Context) (time.Duration, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	go func() {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		_, _ = io.Copy(struct{ io.Writer }{nc}, nc) // by read and write, as servers do
	}()
	nc, err := plainDial(ctx, l.Addr().String())
	if err != nil {
		return 0, err
	}
	defer nc.Close()
	var h Histogram
	message := make([]byte, 100)
	for range probeRounds {
		at := time.Now()
		if _, err := nc.Write(message); err != nil {
			return 0, err
		}
		if _, err := io.ReadFull(nc, message); err != nil {
			return 0, fmt.Errorf("echo: %w", err)
		}
		h.Add(time.Since(at))
	}
	return h.Quantile(0.5), nil
}
