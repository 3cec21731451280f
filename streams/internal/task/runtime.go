package task

import (
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/millrace-io/millrace/streams/internal/topology"
	"github.com/millrace-io/millrace/streams/state"
)

// runtime is the task as its nodes see it.
type runtime struct {
	task   *Task
	stores map[*topology.Node]*state.Store
	at     *topology.Node // whose code runs
	raw    *topology.Raw  // the record in work
}

var _ topology.Runtime = (*runtime)(nil)

func (r *runtime) begin(n *topology.Node, raw *topology.Raw) { r.at, r.raw = n, raw }

// decode and run call into the user's code, so a panic ends up as a fault.
func (r *runtime) decode(s topology.SourceTask, raw *topology.Raw) (ts int64, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &topology.Panic{Value: p, Stack: debug.Stack()}
		}
	}()
	return s.Load(raw)
}

func (r *runtime) run(s topology.SourceTask) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = r.fault(topology.Processing, r.at, &topology.Panic{Value: p, Stack: debug.Stack()})
		}
	}()
	return s.Process()
}

func (r *runtime) Topic(t topology.Topic) string { return t.Full(r.task.cfg.AppID) }

func (r *runtime) Store(n *topology.Node) *state.Store { return r.stores[n] }

func (r *runtime) Enter(n *topology.Node) { r.at = n }

func (r *runtime) Emit(o topology.Outgoing) error { return r.task.cfg.Output.Emit(o, nil) }

func (r *runtime) StreamTime() int64 { return r.task.streamTime }

func (r *runtime) Fault(n *topology.Node, err error) error {
	return r.fault(topology.Processing, n, err)
}

func (r *runtime) fault(stage topology.Stage, n *topology.Node, err error) error {
	fault := &topology.Fault{Stage: stage, Node: n.Name, Record: *r.raw, Err: err}
	action := r.task.cfg.Handle(fault)
	r.task.cfg.Counters.fault(n.Name, action)
	switch action {
	case topology.Continue:
		return nil
	case topology.DeadLetter:
		return r.Emit(deadLetter(r.task.cfg.DeadLetters, fault))
	case topology.Fail:
	}
	return fault
}

func (r *runtime) Dropped(n *topology.Node, reason topology.Reason) {
	r.task.cfg.Counters.drop(n.Name, reason)
}

func (r *runtime) Late(n *topology.Node, by int64) {
	lateness := time.Duration(by) * time.Millisecond
	if first := r.task.cfg.Counters.late(n.Name, lateness); first {
		r.task.cfg.Logger.Warn("late record dropped; further ones of this node are only counted",
			slog.String("node", n.Name),
			slog.String("topic", r.raw.Topic),
			slog.Int64("partition", int64(r.raw.Partition)),
			slog.Int64("offset", r.raw.Offset),
			slog.Duration("lateness", lateness),
			slog.String("remedy", "give the windows more grace, or key the source topic so that no repartition is needed"))
	}
}
