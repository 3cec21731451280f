package worker

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Target is the state that a user wants a connector to be in.
type Target string

// The target states, as Kafka Connect stores them.
const (
	TargetStarted Target = "STARTED"
	TargetPaused  Target = "PAUSED"
	TargetStopped Target = "STOPPED"
)

// configState is what the config topic says: pure, fed record by record.
//
//	connector-<n>     {"properties": {...}}          null deletes it
//	task-<n>-<i>      {"properties": {...}}          counts from the next commit on
//	commit-<n>        {"tasks": N}
//	target-state-<n>  {"state": "PAUSED", "state.v2": "STOPPED"}
//
// Other keys are other versions' and are passed over.
type configState struct {
	connectors map[string]map[string]string
	targets    map[string]Target
	tasks      map[string][]map[string]string       // as of the last commit
	pending    map[string]map[int]map[string]string // since then
}

func newConfigState() *configState {
	return &configState{
		connectors: map[string]map[string]string{}, targets: map[string]Target{},
		tasks: map[string][]map[string]string{}, pending: map[string]map[int]map[string]string{},
	}
}

func (s *configState) add(name string, props map[string]string, target Target) {
	s.connectors[name], s.targets[name] = props, target
}

// target is STARTED unless something else is stored.
func (s *configState) target(name string) Target {
	if t, ok := s.targets[name]; ok {
		return t
	}
	return TargetStarted
}

var errRecord = errors.New("not a record of Kafka Connect")

// apply takes one record and names the connector it changes, "" for none. An
// error leaves the state as it was.
func (s *configState) apply(key string, value []byte) (string, error) {
	switch {
	case strings.HasPrefix(key, "connector-"):
		return s.applyConnector(strings.TrimPrefix(key, "connector-"), value)
	case strings.HasPrefix(key, "target-state-"):
		return s.applyTarget(strings.TrimPrefix(key, "target-state-"), value)
	case strings.HasPrefix(key, "commit-"):
		return "", s.applyCommit(strings.TrimPrefix(key, "commit-"), value)
	case strings.HasPrefix(key, "task-"):
		return "", s.applyTask(strings.TrimPrefix(key, "task-"), value)
	}
	return "", nil
}

func (s *configState) applyConnector(name string, value []byte) (string, error) {
	if value == nil {
		delete(s.connectors, name)
		delete(s.targets, name)
		delete(s.tasks, name)
		delete(s.pending, name)
		return name, nil
	}
	props, err := properties(value)
	if err != nil {
		return "", err
	}
	s.connectors[name] = props
	return name, nil
}

func (s *configState) applyTarget(name string, value []byte) (string, error) {
	if value == nil {
		delete(s.targets, name)
		return name, nil
	}
	var v struct {
		State Target `json:"state"`
		V2    Target `json:"state.v2"`
	}
	if err := json.Unmarshal(value, &v); err != nil {
		return "", fmt.Errorf("%w: %w", errRecord, err)
	}
	if v.V2 != "" {
		v.State = v.V2
	}
	switch v.State {
	case TargetStarted, TargetPaused, TargetStopped:
		s.targets[name] = v.State
		return name, nil
	}
	return "", fmt.Errorf("%w: target state %q", errRecord, v.State)
}

func (s *configState) applyTask(rest string, value []byte) error {
	dash := strings.LastIndexByte(rest, '-')
	if dash < 0 {
		return fmt.Errorf("%w: task key without a number", errRecord)
	}
	name := rest[:dash]
	index, err := strconv.Atoi(rest[dash+1:])
	if err != nil || index < 0 {
		return fmt.Errorf("%w: task key without a number", errRecord)
	}
	if value == nil {
		delete(s.pending[name], index)
		return nil
	}
	props, err := properties(value)
	if err != nil {
		return err
	}
	if s.pending[name] == nil {
		s.pending[name] = map[int]map[string]string{}
	}
	s.pending[name][index] = props
	return nil
}

// applyCommit makes the task configs count, if all of them are there: after a
// compaction some may be newer than their commit, and then the connector must
// plan again, which an empty list makes it do (CT10).
func (s *configState) applyCommit(name string, value []byte) error {
	if value == nil {
		delete(s.tasks, name)
		return nil
	}
	var v struct {
		Tasks int `json:"tasks"`
	}
	if err := json.Unmarshal(value, &v); err != nil || v.Tasks < 0 || v.Tasks > 1<<20 {
		return fmt.Errorf("%w: commit of %s", errRecord, name)
	}
	tasks := make([]map[string]string, 0, len(s.tasks[name]))
	for i := range v.Tasks {
		props, ok := s.pending[name][i]
		if !ok && i < len(s.tasks[name]) {
			props, ok = s.tasks[name][i], true
		}
		if !ok {
			delete(s.tasks, name)
			delete(s.pending, name)
			return nil
		}
		tasks = append(tasks, props)
	}
	s.tasks[name] = tasks
	delete(s.pending, name)
	return nil
}

func properties(value []byte) (map[string]string, error) {
	var v struct {
		Properties map[string]*string `json:"properties"`
	}
	if err := json.Unmarshal(value, &v); err != nil {
		return nil, fmt.Errorf("%w: %w", errRecord, err)
	}
	if v.Properties == nil {
		return nil, fmt.Errorf("%w: no properties", errRecord)
	}
	props := make(map[string]string, len(v.Properties))
	for key, text := range v.Properties {
		if text != nil {
			props[key] = *text
		}
	}
	return props, nil
}

// entry is a record to write; a nil value is a tombstone.
type entry struct {
	key   string
	value any
}

func connectorEntry(name string, props map[string]string) entry {
	return entry{"connector-" + name, map[string]any{"properties": props}}
}

func targetEntry(name string, t Target) entry {
	state := t
	if t == TargetStopped {
		state = TargetPaused // what a reader that does not know STOPPED does
	}
	return entry{"target-state-" + name, map[string]any{"state": state, "state.v2": t}}
}

// taskEntries are the configs of all tasks and the commit that makes them
// count.
func taskEntries(name string, tasks []map[string]string) []entry {
	var entries []entry
	for i, props := range tasks {
		entries = append(entries, entry{fmt.Sprintf("task-%s-%d", name, i), map[string]any{"properties": props}})
	}
	return append(entries, entry{"commit-" + name, map[string]any{"tasks": len(tasks)}})
}

func sameTasks(a, b []map[string]string) bool {
	return slices.EqualFunc(a, b, maps.Equal[map[string]string, map[string]string])
}
