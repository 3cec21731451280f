package file

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/millrace-io/millrace/connect"
)

// sink holds the open files, which its tasks share: without {partition} in
// the path they write the same one.
type sink struct {
	settings *SinkSettings

	mu    sync.Mutex // guards files and every write to them
	files map[string]*appendFile
	tasks int // open ones; the last closes the files
}

func (s *sink) NewTask() connect.SinkTask { return &sinkTask{sink: s} }

// sinkTask writes the records of its partitions.
type sinkTask struct {
	sink    *sink
	pattern string
	next    map[connect.TopicPartition]int64 // behind the last record written
	touched map[string]bool                  // paths written since the last flush
}

func (t *sinkTask) Open(context.Context, connect.TaskContext) error {
	pattern, err := filepath.Abs(t.sink.settings.Path)
	if err != nil {
		return err
	}
	t.pattern = pattern
	t.next, t.touched = map[connect.TopicPartition]int64{}, map[string]bool{}
	t.sink.mu.Lock()
	defer t.sink.mu.Unlock()
	t.sink.tasks++
	return nil
}

// Assigned leaves the positions to the group: the file keeps none.
func (t *sinkTask) Assigned(context.Context, []connect.TopicPartition) (map[connect.TopicPartition]int64, error) {
	return nil, nil
}

// Write appends the records, with one system call per file.
func (t *sinkTask) Write(_ context.Context, records []connect.Record) error {
	buffers := map[string]*bytes.Buffer{}
	for i := range records {
		r := &records[i]
		path := t.path(r)
		if buffers[path] == nil {
			buffers[path] = &bytes.Buffer{}
		}
		if err := appendLine(buffers[path], r); err != nil {
			return connect.Permanent(fmt.Errorf("record %s-%d at offset %d: %w", r.Topic, r.Partition, r.Offset, err))
		}
	}
	t.sink.mu.Lock()
	defer t.sink.mu.Unlock()
	for path, buffer := range buffers {
		file, err := t.sink.open(path)
		if err != nil {
			return err
		}
		if err := file.append(buffer.Bytes()); err != nil {
			return err
		}
		t.touched[path] = true
	}
	for i := range records {
		r := &records[i]
		t.next[connect.TopicPartition{Topic: r.Topic, Partition: r.Partition}] = r.Offset + 1
	}
	return nil
}

// Flush syncs what was written. Everything that is reported is on disk.
func (t *sinkTask) Flush(context.Context) (map[connect.TopicPartition]int64, error) {
	t.sink.mu.Lock()
	defer t.sink.mu.Unlock()
	for path := range t.touched {
		if file, ok := t.sink.files[path]; ok {
			if err := file.sync(); err != nil {
				return nil, err
			}
		}
	}
	clear(t.touched)
	return maps.Clone(t.next), nil
}

func (t *sinkTask) Revoked(_ context.Context, ps []connect.TopicPartition, _ bool) error {
	for _, p := range ps {
		delete(t.next, p)
	}
	return nil
}

func (t *sinkTask) Close(context.Context) error {
	t.sink.mu.Lock()
	defer t.sink.mu.Unlock()
	if t.sink.tasks--; t.sink.tasks > 0 {
		return nil
	}
	return t.sink.closeAll()
}

func (t *sinkTask) path(r *connect.Record) string {
	if !strings.Contains(t.pattern, "{") {
		return t.pattern
	}
	return strings.NewReplacer("{topic}", r.Topic, "{partition}", strconv.Itoa(int(r.Partition))).Replace(t.pattern)
}

// open returns the file of a path; the caller holds the lock.
func (s *sink) open(path string) (*appendFile, error) {
	if file, ok := s.files[path]; ok {
		return file, nil
	}
	file, err := openAppend(path)
	if err != nil {
		return nil, err
	}
	if s.files == nil {
		s.files = map[string]*appendFile{}
	}
	s.files[path] = file
	return file, nil
}

func (s *sink) closeAll() error {
	var first error
	for path, file := range s.files {
		if err := file.close(); err != nil && first == nil {
			first = err
		}
		delete(s.files, path)
	}
	return first
}
