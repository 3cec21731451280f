package connect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// Source plans the tasks of one connector.
type Source interface {
	Start(ctx context.Context, c SourceContext) error
	// Plan divides the work into at most maxTasks tasks.
	Plan(ctx context.Context, maxTasks int) ([]TaskConfig, error)
	NewTask() SourceTask
	Stop(ctx context.Context) error
}

// SourceContext is what a source may ask of the worker.
type SourceContext interface {
	Logger() *slog.Logger
	// Replan asks for Plan again: tables or files have come or gone.
	Replan()
}

// SourceTask reads one share of a source.
type SourceTask interface {
	Open(ctx context.Context, t TaskContext) error
	// Read blocks until it has records or the context ends.
	Read(ctx context.Context, b *Batch) error
	// Committed says what is durable, per source partition: ack upstream
	// here and nowhere else.
	Committed(ctx context.Context, through []Position) error
	Close(ctx context.Context) error
}

// Sink makes the tasks of one connector, which share its topics as a consumer
// group does.
type Sink interface{ NewTask() SinkTask }

// SinkTask writes records to the outside.
type SinkTask interface {
	Open(ctx context.Context, t TaskContext) error
	// Assigned returns positions that the target itself keeps, or nil to go
	// on from the group's offsets.
	Assigned(ctx context.Context, ps []TopicPartition) (map[TopicPartition]int64, error)
	// Write takes records in order per partition. The slice is only valid
	// during the call.
	Write(ctx context.Context, rs []Record) error
	// Flush returns the next offset of each partition up to which everything
	// is durable; it may lag behind Write.
	Flush(ctx context.Context) (map[TopicPartition]int64, error)
	// Revoked takes partitions away. With lost, others write them already:
	// nothing more may be written.
	Revoked(ctx context.Context, ps []TopicPartition, lost bool) error
	Close(ctx context.Context) error
}

// TaskContext is what a task gets from the worker.
type TaskContext interface {
	Connector() string
	Task() int
	// Config is what Plan made for this task.
	Config() TaskConfig
	// Offsets returns the stored offset of each source partition, nil where
	// there is none. The offset topic was read to its end before Open.
	Offsets(partitions []map[string]any) []map[string]any
	// Generation grows with every change of the connector's tasks.
	Generation() int64
	Logger() *slog.Logger
}

// TaskConfig is what a task gets; it is stored as flat properties.
type TaskConfig map[string]string

// Permanent marks an error that no restart will cure, such as bad data that
// nothing may skip: the task stays FAILED.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanent{err}
}

// IsPermanent tells whether an error was marked so.
func IsPermanent(err error) bool {
	var p *permanent
	return errors.As(err, &p)
}

type permanent struct{ err error }

func (p *permanent) Error() string { return p.err.Error() }
func (p *permanent) Unwrap() error { return p.err }

// RecordErrors is what SinkTask.Write returns when only some of the records
// failed.
type RecordErrors struct {
	// Failed holds the faults by index into the records of the call.
	Failed map[int]error
}

// Error names one of the faults and counts the others.
func (e *RecordErrors) Error() string {
	first := -1
	for i := range e.Failed {
		if first < 0 || i < first {
			first = i
		}
	}
	return fmt.Sprintf("%d of the records failed, the first is number %d: %v", len(e.Failed), first, e.Failed[first])
}
