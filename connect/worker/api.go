package worker

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/millrace-io/millrace/connect"
)

// Status is what a connector does, derived from what runs.
type Status struct {
	Name     string
	Kind     string // source, sink or unknown
	State    State
	Trace    string
	WorkerID string
	Tasks    []TaskStatus
}

// TaskStatus is what a task does.
type TaskStatus struct {
	ID       int
	State    State
	Trace    string
	WorkerID string
	Restarts int
	// LastRestart and NextAttempt are zero where there is none.
	LastRestart, NextAttempt time.Time
}

func (t TaskStatus) label() string { return strconv.Itoa(t.ID) }

// Info is a connector as it is configured. Inline secrets are masked.
type Info struct {
	Name   string
	Config map[string]string
	Tasks  int
	Kind   string
}

// Task is one task as it is configured.
type Task struct {
	ID     int
	Config map[string]string
}

// Plugins lists the classes of connectors.
func (w *Worker) Plugins() []connect.Plugin { return w.config.Plugins }

// ClusterID is the id of the Kafka cluster; empty before Ready.
func (w *Worker) ClusterID() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clusterID
}

// Starting tells whether the worker cannot answer yet, or has stopped.
func (w *Worker) Starting() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.loaded
}

// Names lists the connectors.
func (w *Worker) Names() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.state.connectors))
}

// Info returns the configuration of a connector.
func (w *Worker) Info(name string) (Info, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	props, ok := w.state.connectors[name]
	if !ok {
		return Info{}, w.missing(name)
	}
	return w.info(name, props), nil
}

// info describes a connector; the caller holds mu.
func (w *Worker) info(name string, props map[string]string) Info {
	i := Info{Name: name, Config: props, Kind: "unknown", Tasks: len(w.state.tasks[name])}
	if plugin, err := connect.Find(w.config.Plugins, props["connector.class"]); err == nil {
		i.Kind, i.Config = string(plugin.Kind), plugin.Masked(props)
	}
	return i
}

func (w *Worker) missing(name string) error {
	if !w.loaded {
		return ErrStarting
	}
	return fmt.Errorf("%w: connector %s", ErrNotFound, name)
}

// Status returns what a connector does.
func (w *Worker) Status(name string) (Status, error) {
	w.mu.Lock()
	props, ok := w.state.connectors[name]
	k := w.keepers[name]
	if !ok || k == nil {
		defer w.mu.Unlock()
		return Status{}, w.missing(name)
	}
	kind, count := w.info(name, props).Kind, len(w.state.tasks[name])
	w.mu.Unlock()
	s := k.status(count)
	s.Name, s.Kind, s.WorkerID = name, kind, w.config.Advertise
	for i := range s.Tasks {
		s.Tasks[i].WorkerID = w.config.Advertise
	}
	return s, nil
}

func (k *keeper) status(planned int) Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := Status{State: k.state, Trace: k.trace, Tasks: []TaskStatus{}}
	if k.state == Paused {
		for i := range planned {
			s.Tasks = append(s.Tasks, TaskStatus{ID: i, State: Paused})
		}
	}
	for _, one := range k.tasks {
		s.Tasks = append(s.Tasks, one.status())
	}
	return s
}

func (s *supervisor) status() TaskStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return TaskStatus{ID: s.id.index, State: s.state, Trace: s.trace, Restarts: s.restarts, LastRestart: s.last, NextAttempt: s.next}
}

// Tasks returns the configurations of a connector's tasks.
func (w *Worker) Tasks(name string) ([]Task, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	props, ok := w.state.connectors[name]
	if !ok {
		return nil, w.missing(name)
	}
	plugin, _ := connect.Find(w.config.Plugins, props["connector.class"])
	tasks := make([]Task, len(w.state.tasks[name]))
	for i, config := range w.state.tasks[name] {
		tasks[i] = Task{ID: i, Config: plugin.Masked(config)}
	}
	return tasks, nil
}

// Offsets returns the stored positions of a source.
func (w *Worker) Offsets(name string) ([]connect.Position, error) {
	w.mu.Lock()
	_, ok := w.state.connectors[name]
	err := w.missing(name)
	w.mu.Unlock()
	if !ok {
		return nil, err
	}
	return w.offsets.list(name), nil
}

// Check reads a configuration as Create would. The error is a
// *connect.ConfigError with every fault.
func (w *Worker) Check(props map[string]string) (*connect.Config, error) {
	config, err := connect.Configure(props, w.config.Plugins, w.config.Secrets)
	if err != nil {
		return config, err
	}
	if _, err := w.converters(config); err != nil {
		return config, err
	}
	return config, nil
}

// Create adds a connector in a target state.
func (w *Worker) Create(ctx context.Context, name string, props map[string]string, target Target) (Info, error) {
	w.writing.Lock()
	defer w.writing.Unlock()
	if err := w.writable(); err != nil {
		return Info{}, err
	}
	if _, exists := w.stored(name); exists {
		return Info{}, fmt.Errorf("%w: connector %s", ErrExists, name)
	}
	if _, err := w.Check(props); err != nil {
		return Info{}, err
	}
	// The state comes first: the connector must not run before it is known.
	if err := w.write(ctx, targetEntry(name, target), connectorEntry(name, props)); err != nil {
		return Info{}, err
	}
	return w.planned(ctx, name)
}

// Put creates a connector or changes its configuration. A masked secret keeps
// its stored value.
func (w *Worker) Put(ctx context.Context, name string, props map[string]string) (created bool, info Info, err error) {
	w.writing.Lock()
	defer w.writing.Unlock()
	if err := w.writable(); err != nil {
		return false, Info{}, err
	}
	before, exists := w.stored(name)
	if plugin, err := connect.Find(w.config.Plugins, props["connector.class"]); err == nil {
		props = plugin.Unmasked(props, before)
	}
	if _, err := w.Check(props); err != nil {
		return false, Info{}, err
	}
	entries := []entry{connectorEntry(name, props)}
	if !exists {
		entries = []entry{targetEntry(name, TargetStarted), entries[0]}
	}
	if err := w.write(ctx, entries...); err != nil {
		return false, Info{}, err
	}
	info, err = w.planned(ctx, name)
	return !exists, info, err
}

// Delete removes a connector and waits for its tasks to end. Its source
// offsets stay, as in Kafka Connect, so the same name resumes.
func (w *Worker) Delete(ctx context.Context, name string) error {
	w.writing.Lock()
	defer w.writing.Unlock()
	if err := w.writable(); err != nil {
		return err
	}
	if _, exists := w.stored(name); !exists {
		return fmt.Errorf("%w: connector %s", ErrNotFound, name)
	}
	if err := w.write(ctx, entry{key: "connector-" + name}, entry{key: "target-state-" + name}); err != nil {
		return err
	}
	for {
		w.mu.Lock()
		_, running := w.keepers[name]
		w.mu.Unlock()
		if !running {
			return nil
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
}

// SetTarget pauses, stops or resumes a connector.
func (w *Worker) SetTarget(ctx context.Context, name string, target Target) error {
	w.writing.Lock()
	defer w.writing.Unlock()
	if err := w.writable(); err != nil {
		return err
	}
	if _, exists := w.stored(name); !exists {
		return fmt.Errorf("%w: connector %s", ErrNotFound, name)
	}
	if err := w.write(ctx, targetEntry(name, target)); err != nil {
		return err
	}
	return w.settle(ctx, name)
}

// Restart starts a connector anew, its tasks with it. With onlyFailed only
// what is FAILED starts again.
func (w *Worker) Restart(ctx context.Context, name string, onlyFailed bool) error {
	w.mu.Lock()
	k, ok := w.keepers[name]
	err := w.missing(name)
	w.mu.Unlock()
	if !ok {
		return err
	}
	k.mu.Lock()
	tasks, whole := slices.Clone(k.tasks), !onlyFailed || k.state == Failed
	k.mu.Unlock()
	if whole {
		k.update(func(d *desired) { d.epoch++ })
		return w.settle(ctx, name)
	}
	for _, task := range tasks {
		if task.failed() {
			task.again()
		}
	}
	return nil
}

// RestartTask starts one task anew.
func (w *Worker) RestartTask(name string, index int) error {
	w.mu.Lock()
	k, ok := w.keepers[name]
	err := w.missing(name)
	w.mu.Unlock()
	if !ok {
		return err
	}
	task, ok := k.task(index)
	if !ok {
		return fmt.Errorf("%w: task %d of connector %s", ErrNotFound, index, name)
	}
	task.again()
	return nil
}
