package worker

import (
	"context"
	"maps"
	"time"

	"github.com/millrace-io/millrace/connect"
)

// planWait bounds how long an answer waits for the tasks of a connector that
// was just changed, so that it can list them.
const planWait = 2 * time.Second

func (w *Worker) writable() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case !w.loaded:
		return ErrStarting
	case w.configs == nil:
		return ErrFixed
	}
	return nil
}

func (w *Worker) stored(name string) (map[string]string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	props, ok := w.state.connectors[name]
	return props, ok
}

// write stores records of the configuration and waits until this worker has
// read them back, so that its answer and what it runs are what the topic
// says. It is the one place that writes the config topic.
func (w *Worker) write(ctx context.Context, entries ...entry) error {
	return w.configs.putAndApply(ctx, entries)
}

// applyConfig takes one record of the config topic.
func (w *Worker) applyConfig(key, value []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	name, err := w.state.apply(string(key), value)
	if err != nil {
		w.log.Warn("passed over a record of the config topic", "key", string(key), "err", err)
		return
	}
	if name != "" {
		w.reconcile(name)
	}
}

// storeTasks writes the configs of a connector's tasks, unless they are what
// is stored.
func (w *Worker) storeTasks(ctx context.Context, name string, tasks []map[string]string) error {
	w.mu.Lock()
	same := sameTasks(w.state.tasks[name], tasks)
	if !same && w.configs == nil {
		w.state.tasks[name] = tasks
	}
	w.mu.Unlock()
	if same || w.configs == nil {
		return nil
	}
	return w.write(ctx, taskEntries(name, tasks)...)
}

// nextGeneration numbers the starts of tasks in this process.
func (w *Worker) nextGeneration() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.generation++
	return w.generation
}

// planned describes a connector once its tasks are known, or after a short
// wait without them.
func (w *Worker) planned(ctx context.Context, name string) (Info, error) {
	if err := w.settle(ctx, name); err != nil {
		return Info{}, err
	}
	return w.Info(name)
}

// settle waits a while until a connector runs what it was told to, or has
// failed to.
func (w *Worker) settle(ctx context.Context, name string) error {
	waiting, cancel := context.WithTimeout(ctx, planWait)
	defer cancel()
	for {
		w.mu.Lock()
		k, ok := w.keepers[name]
		w.mu.Unlock()
		if !ok || k.isSettled() || pause(waiting, 5*time.Millisecond) != nil {
			return ctx.Err()
		}
	}
}

// seed makes a connector of the file of configuration what the file says; one
// that is the same already is left alone.
func (w *Worker) seed(ctx context.Context, c connect.Connector) (changed bool, err error) {
	stored, exists := w.stored(c.Name)
	if exists && maps.Equal(stored, c.Properties) {
		return false, nil
	}
	if !exists {
		_, err = w.Create(ctx, c.Name, c.Properties, targetOf(c.State))
		return true, err
	}
	_, _, err = w.Put(ctx, c.Name, c.Properties)
	return true, err
}
