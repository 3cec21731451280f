package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/millrace-io/millrace/connect"
)

// keeper runs one connector, whatever its configuration becomes. One
// goroutine per connector starts, stops and restarts it, so that no two
// configurations of it ever run at once.
//
//	desired ──► run one configuration until desired changes ──► stop, again
type keeper struct {
	worker *Worker
	name   string

	mu       sync.Mutex
	want     desired
	changed  chan struct{} // closed and replaced when want changes
	serving  desired       // what runs, or is being stopped
	settled  bool          // what is wanted runs, or has failed
	state    State
	trace    string
	tasks    []*supervisor
	replans  chan struct{}
	nextTry  time.Time
	restarts int
}

// desired is what the configuration asks for.
type desired struct {
	props   map[string]string
	target  Target
	deleted bool
	epoch   int // counts restarts that were asked for
}

func (d desired) equal(o desired) bool {
	return d.target == o.target && d.deleted == o.deleted && d.epoch == o.epoch && maps.Equal(d.props, o.props)
}

// reconcile hands a connector's configuration to its keeper. The caller holds
// w.mu.
func (w *Worker) reconcile(name string) {
	if !w.loaded || w.run.Err() != nil {
		return
	}
	props, exists := w.state.connectors[name]
	k, running := w.keepers[name]
	if !running {
		if !exists {
			return
		}
		k = &keeper{worker: w, name: name, changed: make(chan struct{}), state: Unassigned, replans: make(chan struct{}, 1)}
		k.want = desired{props: props, target: w.state.target(name)}
		w.keepers[name] = k
		w.running.Go(func() { k.loop(w.run) })
		return
	}
	k.update(func(d *desired) {
		d.props, d.target, d.deleted = props, w.state.target(name), !exists
	})
}

// update changes what is wanted; nothing happens where it is the same.
func (k *keeper) update(change func(*desired)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	before := k.want
	change(&k.want)
	if !k.want.equal(before) {
		close(k.changed)
		k.changed, k.settled = make(chan struct{}), false
	}
}

// settle notes that what is served has come to a state of its own. The caller
// holds k.mu.
func (k *keeper) settle() { k.settled = k.serving.equal(k.want) }

func (k *keeper) isSettled() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.settled
}

func (k *keeper) current() (desired, <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.want, k.changed
}

func (k *keeper) loop(ctx context.Context) {
	for ctx.Err() == nil {
		want, changed := k.current()
		if want.deleted {
			if k.retire() {
				return
			}
			continue
		}
		k.mu.Lock()
		k.serving = want
		k.mu.Unlock()
		running, stop := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			k.serve(running, want)
		}()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		stop()
		<-done
	}
}

// retire ends the keeper of a deleted connector, unless it is there again.
func (k *keeper) retire() bool {
	k.worker.mu.Lock()
	defer k.worker.mu.Unlock()
	if _, again := k.worker.state.connectors[k.name]; again {
		return false
	}
	delete(k.worker.keepers, k.name)
	return true
}

// serve runs one configuration until ctx ends.
func (k *keeper) serve(ctx context.Context, want desired) {
	log := k.worker.log.With("connector", k.name)
	switch want.target {
	case TargetStopped:
		if err := k.worker.storeTasks(ctx, k.name, nil); err != nil && ctx.Err() == nil {
			log.Warn("could not store that the connector has no tasks", "err", err)
		}
		k.show(Stopped, nil)
	case TargetPaused:
		k.show(Paused, nil)
	case TargetStarted:
		log.Info("starting connector")
		k.start(ctx, want.props)
	}
	<-ctx.Done()
	k.clear()
}

// start runs the connector and starts it again when it fails. An invalid
// configuration ends the attempts.
func (k *keeper) start(ctx context.Context, props map[string]string) {
	config, err := connect.Configure(props, k.worker.config.Plugins, k.worker.config.Secrets)
	if err != nil {
		k.show(Failed, err)
		return
	}
	if len(config.Unknown) > 0 {
		k.worker.log.Warn("nobody knows these properties", "connector", k.name, "properties", config.Unknown)
	}
	b := backoff{policy: config.Restart}
	for ctx.Err() == nil {
		started := time.Now()
		err := protect(func() error { return k.runConnector(ctx, config) })
		if ctx.Err() != nil || err == nil {
			continue // stopped, or the tasks are to be planned again
		}
		k.show(Failed, err)
		k.worker.log.Error("connector failed", "connector", k.name, "err", err)
		delay, again := b.next(started, time.Now(), jitter())
		if isConfigError(err) || connect.IsPermanent(err) || !again {
			return
		}
		k.mu.Lock()
		k.nextTry, k.restarts = time.Now().Add(delay), k.restarts+1
		k.mu.Unlock()
		if pause(ctx, delay) != nil {
			return
		}
	}
}

func isConfigError(err error) bool {
	var bad *connect.ConfigError
	return errors.As(err, &bad)
}

// runConnector opens the connector and runs its tasks until ctx ends or the
// tasks are to be planned again, which is no error.
func (k *keeper) runConnector(ctx context.Context, config *connect.Config) error {
	converters, err := k.worker.converters(config)
	if err != nil {
		return err
	}
	if config.Plugin.Kind == connect.SinkKind {
		sink, err := config.OpenSink(k.worker.config.Secrets)
		if err != nil {
			return err
		}
		tasks := plainTasks(config.SinkTasks())
		return k.runTasks(ctx, config, tasks, func(id taskID, log *slog.Logger) runnable {
			return &sinkTask{worker: k.worker, config: config, id: id, task: sink.NewTask(), convert: converters, log: log}
		})
	}
	source, err := config.OpenSource(k.worker.config.Secrets)
	if err != nil {
		return err
	}
	if err := source.Start(ctx, sourceContext{k}); err != nil {
		return err
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if err := source.Stop(stopping); err != nil {
			k.worker.log.Warn("connector did not stop cleanly", "connector", k.name, "err", err)
		}
	}()
	plan, err := source.Plan(ctx, config.TasksMax)
	if err != nil {
		return err
	}
	if len(plan) > config.TasksMax {
		return connect.Permanent(fmt.Errorf("planned %d tasks, tasks.max is %d", len(plan), config.TasksMax))
	}
	return k.runTasks(ctx, config, plainTasks(plan), func(id taskID, log *slog.Logger) runnable {
		return &sourceTask{worker: k.worker, config: config, id: id, task: source.NewTask(), convert: converters, log: log}
	})
}

func plainTasks(plan []connect.TaskConfig) []map[string]string {
	tasks := make([]map[string]string, len(plan))
	for i := range plan {
		tasks[i] = plan[i]
	}
	return tasks
}

// runTasks stores the plan and supervises its tasks.
func (k *keeper) runTasks(ctx context.Context, config *connect.Config, plan []map[string]string, build func(taskID, *slog.Logger) runnable) error {
	if err := k.worker.storeTasks(ctx, k.name, plan); err != nil {
		return err
	}
	generation := k.worker.nextGeneration()
	running, stop := context.WithCancel(ctx)
	defer stop()
	var group sync.WaitGroup
	supervisors := []*supervisor{}
	for i, props := range plan {
		id := taskID{connector: k.name, index: i, generation: generation, props: props}
		s := newSupervisor(id, config.Restart, k.worker, build)
		supervisors = append(supervisors, s)
		group.Go(func() { s.run(running) })
	}
	k.mu.Lock()
	k.state, k.trace, k.tasks, k.nextTry = Running, "", supervisors, time.Time{}
	k.settle()
	k.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-k.replans:
		k.worker.log.Info("planning the tasks again", "connector", k.name)
	}
	stop()
	group.Wait()
	return nil
}

// protect turns a panic of a plugin into an error: one connector must not
// take the others with it.
func protect(run func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return run()
}

func (k *keeper) show(s State, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.state, k.trace, k.tasks = s, "", nil
	if err != nil {
		k.trace = err.Error()
	}
	k.settle()
}

func (k *keeper) clear() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tasks, k.nextTry = nil, time.Time{}
	k.state = Unassigned
}

// task finds a supervisor by number.
func (k *keeper) task(index int) (*supervisor, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	i := slices.IndexFunc(k.tasks, func(s *supervisor) bool { return s.id.index == index })
	if i < 0 {
		return nil, false
	}
	return k.tasks[i], true
}
