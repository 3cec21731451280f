package commitlog

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

// crashModel drives one log on a disk in memory through random operations and
// crashes, and knows what must be there afterwards: everything that was
// flushed, and of the rest a prefix.
type crashModel struct {
	t     testing.TB
	seed  uint64
	rng   *rand.Rand
	disk  *vfs.Mem
	fault *vfs.Fault
	log   *Log
	cfg   Config

	batches []record.Batch // what was appended, by this life or an earlier one
	// failed are batches of appends that a full disk refused. They were cut
	// off without a sync, so a crash can bring them back, as long as nothing
	// that was flushed took their place.
	failed   map[string]bool
	flushed  int64 // acked as durable
	start    int64
	recovery int64 // the recovery point that was stored
	epoch    int32
	// replaced is what the log may hold in the place of batches, after a
	// rewrite of which nobody knows whether it was decided.
	replaced  []record.Batch
	rewritten bool
	// rewrittenTo is the offset below which segments were replaced.
	rewrittenTo int64
	open        *Flush // a flush between its capture and its end
	synced      bool
	clean       bool
}

func newCrashModel(t testing.TB, seed uint64) *crashModel {
	r := rand.New(rand.NewPCG(seed, 2))
	m := &crashModel{t: t, seed: seed, rng: r, disk: newDisk(t), failed: map[string]bool{}, cfg: Config{
		SegmentBytes: int64(500 + r.IntN(6000)), IndexInterval: 100 + r.IntN(1000), KeepAll: r.IntN(4) == 0,
	}}
	m.reopen()
	return m
}

func (m *crashModel) check(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatalf("seed %d: %v", m.seed, err)
	}
}

func (m *crashModel) reopen() {
	m.t.Helper()
	m.fault = vfs.NewFault(m.disk)
	l, err := Open(m.fault, testDir, m.cfg, OpenOptions{Clean: m.clean, RecoveryPoint: m.recovery, LogStart: m.start})
	m.check(err)
	m.log, m.open, m.clean = l, nil, false
	m.settleRewrite()
	m.adopt()
	m.compare()
	if m.flushed = l.Flushed(); m.flushed != l.End() {
		m.t.Fatalf("seed %d: an opened log has end %d and flushed %d", m.seed, l.End(), m.flushed)
	}
	kept := 0
	for kept < len(m.batches) && m.batches[kept].LastOffset() < l.End() {
		kept++
	}
	m.batches = m.batches[:kept]
}

// adopt takes in what a crash has brought back of failed appends.
func (m *crashModel) adopt() {
	i := 0
	for i < len(m.batches) && m.batches[i].LastOffset() < max(m.flushed, m.log.Start()) {
		i++
	}
	for b, err := range m.log.Batches(max(m.flushed, m.log.Start()), m.log.End()) {
		m.check(err)
		same := i < len(m.batches) && string(b) == string(m.batches[i])
		if !same && m.failed[string(b)] {
			m.batches = append(m.batches[:i:i], slices.Clone(b))
		}
		i++
	}
}

// compare checks the log against what was appended.
func (m *crashModel) compare() {
	m.t.Helper()
	l := m.log
	if l.End() < m.flushed {
		m.t.Fatalf("seed %d: flushed to %d, the log ends at %d: %+v", m.seed, m.flushed, l.End(), l.Recovery())
	}
	if l.Recovery().Damaged {
		m.t.Fatalf("seed %d: the log takes itself for damaged: end %d, recovery point %d", m.seed, l.End(), m.recovery)
	}
	i := 0
	for i < len(m.batches) && m.batches[i].LastOffset() < l.Start() {
		i++
	}
	for b, err := range l.Batches(l.Start(), l.End()) {
		m.check(err)
		if i == len(m.batches) || string(b) != string(m.batches[i]) {
			m.t.Fatalf("seed %d: batch %v is not what was appended there: %v", m.seed, b, m.batches[min(i, len(m.batches)-1)])
		}
		i++
	}
	if i < len(m.batches) && m.batches[i].BaseOffset() < l.End() {
		m.t.Fatalf("seed %d: the log ends at %d and lacks %v", m.seed, l.End(), m.batches[i])
	}
	m.compareEpochs()
}

// compareEpochs checks I6: the epoch cache equals what the log says.
func (m *crashModel) compareEpochs() {
	if m.rewritten {
		return // The first batch of an epoch may be gone.
	}
	var want []EpochStart
	for _, b := range m.batches {
		if b.LastOffset() < m.log.Start() || b.BaseOffset() >= m.log.End() {
			continue
		}
		if n := len(want); n == 0 || want[n-1].Epoch != b.LeaderEpoch() {
			want = append(want, EpochStart{b.LeaderEpoch(), max(b.BaseOffset(), m.log.Start())})
		}
	}
	got := m.log.Epochs()
	for len(got) > 0 && got[len(got)-1].Start == m.log.End() {
		got = got[:len(got)-1] // The start of an epoch without a batch yet.
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		m.t.Fatalf("seed %d: epochs %v, the log says %v", m.seed, got, want)
	}
}

func (m *crashModel) append() {
	if m.rng.IntN(10) == 0 {
		m.epoch++
		m.log.BeginEpoch(m.epoch)
	}
	var drain []record.Batch
	end := m.log.End()
	for range 1 + m.rng.IntN(4) {
		b := newBatch(end, m.epoch, 1+m.rng.IntN(3), int64(m.rng.IntN(1e6)), strings.Repeat("v", m.rng.IntN(900)))
		drain = append(drain, b)
		end = b.LastOffset() + 1
	}
	if m.rng.IntN(12) == 0 {
		m.fault.LimitSpace(int64(m.rng.IntN(2000)))
	}
	err := m.log.Append(drain, epochZero)
	m.fault.Clear()
	switch {
	case err == nil:
		m.batches = append(m.batches, drain...)
	case vfs.IsNoSpace(err):
		for _, b := range drain {
			m.failed[string(b)] = true
		}
	default:
		m.t.Fatalf("seed %d: append: %v", m.seed, err)
	}
}

// flush makes one of the three calls: other operations fall between them.
func (m *crashModel) flush() {
	switch {
	case m.open == nil:
		f := m.log.Capture()
		m.open, m.synced = &f, false
	case !m.synced:
		m.sync()
	default:
		m.check(m.log.FlushDone(*m.open))
		m.open = nil
		m.flushed = max(m.flushed, m.log.Flushed())
	}
}

// sync carries the flush out; now and then the disk fails it. The log is then
// offline until the next life, in which the writes that were lost may lack.
func (m *crashModel) sync() {
	if m.rng.IntN(20) == 0 {
		m.fault.Add(vfs.Rule{Op: vfs.OpSync, At: 1})
	}
	err := m.open.Sync()
	m.fault.Clear()
	if err == nil {
		m.synced = true
		return
	}
	m.open = nil
	switch {
	case m.log.Err() == nil: // A planted bug: it must be offline.
	case m.rng.IntN(2) == 0:
		m.kill()
	default:
		m.crash()
	}
}

// kill ends the process alone: the page cache survives, also what a failed
// sync has left in it.
func (m *crashModel) kill() {
	end := m.log.End()
	m.reopen()
	if m.log.End() < end {
		m.t.Fatalf("seed %d: killed at end %d, opened at %d: %+v", m.seed, end, m.log.End(), m.log.Recovery())
	}
}

func (m *crashModel) checkpoint() {
	at, err := m.log.Checkpoint()
	m.check(err)
	m.recovery = at
}

func (m *crashModel) truncate() {
	from := max(m.log.Start(), m.rewrittenTo) // What is compacted is committed, and not truncated.
	to := from + m.rng.Int64N(m.log.End()-from+1)
	m.recovery = min(m.recovery, to) // Lowered first, as TruncateTo asks.
	for i, b := range m.batches {
		if b.LastOffset() >= to {
			m.recovery = min(m.recovery, b.BaseOffset())
			m.batches = m.batches[:i]
			m.flushed = min(m.flushed, b.BaseOffset())
			break
		}
	}
	m.check(m.log.TruncateTo(to))
	m.start = min(m.start, m.log.End())
}

func (m *crashModel) setStart() {
	flushed := m.log.Flushed()
	if flushed <= m.log.Start() {
		return
	}
	m.start = m.log.Start() + m.rng.Int64N(flushed-m.log.Start()+1)
	m.check(m.log.SetStart(m.start))
}

func (m *crashModel) crash() {
	m.disk = m.disk.Crash(m.rng)
	m.reopen()
}

func (m *crashModel) restart() {
	m.check(m.log.Close())
	m.flushed = m.log.End()
	m.recovery, m.clean = m.log.End(), m.rng.IntN(4) > 0
	m.reopen()
}

func (m *crashModel) step() {
	switch n := m.rng.IntN(100); {
	case n < 45:
		m.append()
	case n < 75:
		m.flush()
	case n < 82:
		m.checkpoint()
	case n < 84:
		m.truncate()
	case n < 87:
		m.setStart()
	case n < 90:
		m.check(m.log.Roll())
	case n < 92:
		m.restart()
	case n < 93:
		m.kill()
	case n < 95:
		m.crash()
	default:
		m.compare()
	}
}

// Nothing that was flushed is lost, whatever the crash: the log equals a
// model after each of many lives.
func TestCrashesAgainstModel(t *testing.T) { runCrashModel(t, false) }

// The same with segments that are replaced by smaller ones: after a crash the
// log holds the old ones or the new one.
func TestCrashesOfRewritesAgainstModel(t *testing.T) { runCrashModel(t, true) }

func runCrashModel(t *testing.T, rewrites bool) {
	seeds := uint64(400)
	if n, err := strconv.ParseUint(os.Getenv("SEEDS"), 10, 64); err == nil {
		seeds = n
	}
	start := time.Now()
	for seed := range seeds {
		m := newCrashModel(t, seed)
		for i := range 150 {
			m.step()
			if rewrites && i%5 == 0 {
				m.rewrite()
			}
		}
		m.crash()
	}
	t.Logf("%d seeds in %v", seeds, time.Since(start).Round(time.Millisecond))
}
