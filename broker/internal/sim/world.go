package sim

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

// World is one run: a broker with its clients, and the model of both.
type World struct {
	seed   uint64
	steps  *rand.Rand // what happens
	faults *rand.Rand // what breaks, and when
	ids    *rand.Rand // of topics and incarnations
	plan   plan
	trace  *trace

	now  time.Time
	disk *disk
	life *life

	topics    map[string]*topicModel
	logs      map[partitionID]*logModel
	lanes     []*lane
	producers []*producer
	workers   []*worker

	transactors []*transactor

	values int   // produced so far, all different
	failed error // found in a callback
	outage bool  // the power was lost since the last life that came up

	// What came of the run.
	lives, stops, powerLosses, refusals, acks, commits, transactions, dropped int
}

// Failure is what a run has found.
type Failure struct {
	Seed uint64
	Err  error
	Last string // the last events
}

func (f *Failure) Error() string {
	return fmt.Sprintf("seed %d: %v\nrepeat it: go test ./broker/internal/sim -run TestSeeds -seed %d\nthe last events:\n%s", f.Seed, f.Err, f.Seed, f.Last)
}

func (f *Failure) Unwrap() error { return f.Err }

// Outcome counts what a run has done, so that a test can tell that it did
// something.
type Outcome struct {
	Lives, Stops, PowerLosses, Refusals, Acks, Commits, Transactions, Dropped, Events int
	// Hash is of all events: equal for equal seeds.
	Hash uint64
}

// Play runs one seed. Its error is a *Failure.
func Play(seed uint64) (Outcome, error) {
	w := newWorld(seed)
	err := w.run()
	outcome := Outcome{w.lives, w.stops, w.powerLosses, w.refusals, w.acks, w.commits, w.transactions, w.dropped, w.trace.count, w.trace.hash.Sum64()}
	if err != nil {
		return outcome, &Failure{Seed: seed, Err: err, Last: w.trace.String()}
	}
	return outcome, nil
}

func newWorld(seed uint64) *World {
	stream := func(id uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, id)) }
	w := &World{
		seed: seed, steps: stream(1), faults: stream(2), ids: stream(3), trace: newTrace(),
		now:    time.UnixMilli(1_700_000_000_000),
		topics: map[string]*topicModel{}, logs: map[partitionID]*logModel{}, outage: true,
	}
	w.plan = drawPlan(stream(4))
	w.disk = newDisk(vfs.NewMem(), stream(5))
	for i := range w.plan.producers {
		id := int64(1000 + i)
		if i%4 == 3 {
			id = -1 // acks=1, no idempotence
		}
		w.producers = append(w.producers, &producer{id: id})
	}
	for i := range w.plan.transactors {
		w.transactors = append(w.transactors, &transactor{id: int64(2000 + i), bumps: i%2 == 0})
	}
	for i := range w.plan.workers {
		k := &worker{group: fmt.Sprintf("group-%d", i), simple: i%2 == 0, instance: new("only")}
		for p := range int32(2) {
			k.offsets = append(k.offsets, &offsetModel{group: k.group, topic: "t", partition: p, sent: -1, floor: -1})
		}
		w.workers = append(w.workers, k)
	}
	return w
}

func (w *World) clock() time.Time { return w.now }

func (w *World) newID() (id metadata.UUID) {
	for i := range id {
		id[i] = byte(w.ids.Uint32())
	}
	return id
}

// dead reports whether the process has ended: what happens then happens to
// nobody.
func (w *World) dead() bool { return w.disk.ended != running }

// note keeps the first error that a callback finds.
func (w *World) note(err error) {
	if w.failed == nil {
		w.failed = err
	}
}

// run plays the steps of the plan, and in the end one more life, without
// faults, that has to find everything.
func (w *World) run() error {
	if err := w.start(); err != nil {
		return err
	}
	for range w.plan.steps {
		if err := w.step(); err != nil {
			return err
		}
	}
	w.disk.Clear()
	w.disk.die(powerLoss, "the end")
	w.plan.faulty = false
	if err := w.start(); err != nil {
		return err
	}
	return w.heal()
}

// step draws one thing to happen.
func (w *World) step() error {
	w.now = w.now.Add(time.Duration(w.steps.IntN(2000)) * time.Millisecond)
	err := w.act()
	if !w.dead() && err == nil {
		err = cmp.Or(w.failed, w.watch())
	}
	if w.plan.faulty && w.faults.IntN(w.plan.fullDisk) == 0 {
		w.disk.LimitSpace(w.faults.Int64N(5000)) // it is full in a moment
	} else if w.faults.IntN(10) == 0 {
		w.disk.LimitSpace(-1) // there is room again
	}
	switch {
	case w.failed != nil:
		return w.failed
	case w.dead():
		return w.start() // whatever the dying process said
	case err != nil:
		return err
	case w.life.sick && w.faults.IntN(4) == 0:
		w.disk.die(w.drawEnding(), "the disk failed")
		return w.start()
	case w.plan.faulty && w.faults.IntN(w.plan.stepsToEnd) == 0:
		w.disk.die(w.drawEnding(), "between two steps")
		return w.start()
	}
	return nil
}

// start begins lives until one comes up. A life may end while it begins.
func (w *World) start() error {
	for {
		if w.life != nil {
			dead := w.disk
			w.disk = dead.reborn()
			w.outage = w.outage || dead.ended == powerLoss
			w.trace.add("%v: %s", dead.ended, dead.effect)
			if dead.ended == powerLoss {
				w.powerLosses++
			}
		}
		if w.plan.faulty {
			w.breakDisk()
		}
		err := w.boot()
		if errors.Is(err, errBroken) || vfs.IsNoSpace(err) {
			w.disk.die(w.drawEnding(), "the disk failed at the start")
		}
		if w.dead() {
			continue
		}
		w.trace.add("life %d begins: %v", w.lives, err)
		if err != nil {
			return err
		}
		for _, l := range w.lanes {
			l.reconnect(w.logs[l.at], w.outage)
		}
		for _, x := range w.transactors {
			for _, l := range x.lanes {
				l.reconnect(w.logs[l.at], w.outage)
			}
		}
		w.outage = false
		return w.watch()
	}
}

// breakDisk decides how this life ends, and what fails before.
func (w *World) breakDisk() {
	if w.faults.IntN(2) == 0 {
		w.disk.end(w.drawEnding(), 1+w.faults.IntN(w.plan.effectsToEnd))
	}
	if w.faults.IntN(w.plan.syncFailure) == 0 {
		w.disk.Add(vfs.Rule{Op: vfs.OpSync, Match: "*.log", At: 1 + w.faults.IntN(100), Err: errBroken})
	}
}

func (w *World) drawEnding() ending {
	if w.faults.IntN(3) == 0 {
		return killed
	}
	return powerLoss
}

// act draws what happens in a step.
func (w *World) act() error {
	if n := len(w.transactors); n > 0 && w.created(offsetsTopic) && w.steps.IntN(3) == 0 {
		return w.transact(w.transactors[w.steps.IntN(n)])
	}
	switch r := w.steps.IntN(100); {
	case !w.created(offsetsTopic) || r < 2:
		return w.createTopic()
	case r < 40 && len(w.lanes) > 0:
		return w.produce(w.lanes[w.steps.IntN(len(w.lanes))])
	case r < 46 && len(w.lanes) > 0:
		return w.again(w.lanes[w.steps.IntN(len(w.lanes))])
	case r < 76:
		w.flush()
		return nil
	case r < 82 && len(w.lanes) > 0:
		return w.consume(w.lanes[w.steps.IntN(len(w.lanes))].at)
	case r < 95 && len(w.workers) > 0:
		return w.work(w.workers[w.steps.IntN(len(w.workers))])
	case r < 96:
		return w.life.checkpoint()
	case r < 97:
		if err := w.retain(); err != nil || w.dead() {
			return err
		}
		return w.compact()
	case r < 98:
		return w.administer()
	default:
		return w.ticks()
	}
}

// administer does what an operator does now and then.
func (w *World) administer() error {
	if w.steps.IntN(2) == 0 {
		return w.stop()
	}
	return w.deleteTopic()
}

// ticks does what has fallen due at the coordinators.
func (w *World) ticks() error {
	for _, id := range slices.SortedFunc(maps.Keys(w.life.seats), comparePartitions) {
		s := w.life.seats[id]
		for at := s.shard.Deadline(); !at.IsZero() && !at.After(w.now); at = s.shard.Deadline() {
			if err := w.took(s, s.shard.Tick(w.now)); err != nil || w.dead() {
				return err
			}
		}
	}
	return nil
}

// heal lets the last life come to rest, and asks for everything once more.
func (w *World) heal() error {
	for _, l := range w.lanes {
		for l.resend < len(l.queue) {
			if err := w.produce(l); err != nil {
				return err
			}
		}
	}
	w.flushAll()
	if err := cmp.Or(w.failed, w.watch(), w.endTransactions(), w.watch(), w.checkTransactions()); err != nil {
		return err
	}
	for _, l := range w.lanes {
		if l.producer.id >= 0 && len(l.queue) > 0 {
			return fmt.Errorf("%v: %d batches were never acknowledged, with nothing left to flush", l, len(l.queue))
		}
	}
	for _, k := range w.workers {
		for _, o := range k.offsets {
			if s := w.life.seatOf(k.group); s != nil {
				if err := w.fetchOffset(s, o); err != nil {
					return err
				}
			}
		}
	}
	return w.failed
}

// checkRecovered holds a log that was just opened against the model.
func (w *World) checkRecovered(id partitionID, p *replica.Partition) error {
	m := w.logs[id]
	if m == nil {
		config := w.plan.config(id.topic)
		m = &logModel{name: id.String(), volatile: config.PageCache, compacted: config.Compact}
		w.logs[id] = m
	}
	var batches []record.Batch
	if err := eachBatch(p, func(b record.Batch) error {
		batches = append(batches, slices.Clone(b))
		return nil
	}); err != nil {
		return fmt.Errorf("I5: %v: the log cannot be read after its recovery: %w", id, err)
	}
	w.trace.add("%v: recovered, %d batches, end %d, appended %d, to keep %d", id, len(batches), p.LogEnd(), m.end(), m.kept)
	return cmp.Or(m.recovered(batches, p.LogStart(), p.LogEnd()), m.lasts(w.outage))
}

func comparePartitions(a, b partitionID) int {
	return cmp.Or(strings.Compare(a.topic, b.topic), cmp.Compare(a.index, b.index))
}
