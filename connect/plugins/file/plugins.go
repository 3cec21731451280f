package file

import (
	"context"
	"fmt"
	"hash/fnv"
	"strconv"
	"time"

	"github.com/millrace-io/millrace/connect"
	"github.com/millrace-io/millrace/internal/conf"
)

// SourceSettings configures a file-source.
type SourceSettings struct {
	Path         string        `conf:"path,required" doc:"The file, or a glob such as /var/log/app/*.log."`
	Topic        string        `conf:"topic,required" doc:"Topic that the lines go to."`
	Format       string        `conf:"format" enum:"lines" default:"lines" doc:"What a record is."`
	Start        string        `conf:"start" enum:"beginning|end" default:"beginning" doc:"Where to begin in a file that is there already and has no position."`
	AtEOF        string        `conf:"at_eof" enum:"hold|emit" default:"hold" doc:"What happens to a last line without a newline."`
	PollInterval time.Duration `conf:"poll_interval" default:"1s" min:"10ms" doc:"Wait at the end of all files before looking again."`
	MaxLine      conf.Size     `conf:"max_line" default:"1MiB" min:"1B" doc:"Longest line; a longer one fails the task."`
}

// SinkSettings configures a file-sink.
type SinkSettings struct {
	Path   string `conf:"path,required" doc:"The file; {topic} and {partition} are replaced."`
	Format string `conf:"format" enum:"json" default:"json" doc:"What a line is: the record with its topic, partition, offset, timestamp, key and value."`
	Mode   string `conf:"mode" enum:"append" default:"append" doc:"How the file grows."`
}

// Source is the plugin file-source.
func Source() connect.Plugin {
	return connect.SourcePlugin(connect.Spec{
		Name: "file-source", Version: "1",
		Aliases: []string{"FileStreamSource", "org.apache.kafka.connect.file.FileStreamSourceConnector"},
		Renamed: map[string]string{"file": "path"},
		Doc:     "Reads the lines of files into a topic. Follows files that grow or are rotated; gzip is recognised.",
	}, func(s *SourceSettings) (connect.Source, error) { return &source{settings: s}, nil })
}

// Sink is the plugin file-sink.
func Sink() connect.Plugin {
	return connect.SinkPlugin(connect.Spec{
		Name: "file-sink", Version: "1",
		Aliases: []string{"FileStreamSink", "org.apache.kafka.connect.file.FileStreamSinkConnector"},
		Renamed: map[string]string{"file": "path"},
		Doc:     "Writes the records of topics to files, one line of JSON each.",
	}, func(s *SinkSettings) (connect.Sink, error) { return &sink{settings: s}, nil })
}

// source divides the files among its tasks by their path, so that a file that
// appears later has its task already.
type source struct{ settings *SourceSettings }

func (s *source) Start(context.Context, connect.SourceContext) error { return nil }
func (s *source) Stop(context.Context) error                         { return nil }
func (s *source) NewTask() connect.SourceTask                        { return &task{settings: s.settings} }

func (s *source) Plan(_ context.Context, maxTasks int) ([]connect.TaskConfig, error) {
	tasks := 1
	if isGlob(s.settings.Path) {
		tasks = maxTasks
	}
	plan := make([]connect.TaskConfig, tasks)
	for i := range plan {
		plan[i] = connect.TaskConfig{"share": fmt.Sprintf("%d/%d", i, tasks)}
	}
	return plan, nil
}

// share is one task's part of the paths.
type share struct{ index, of uint32 }

func parseShare(text string) share {
	var s share
	if n, err := fmt.Sscanf(text, "%d/%d", &s.index, &s.of); n != 2 || err != nil || s.of == 0 {
		return share{0, 1}
	}
	return s
}

func (s share) has(path string) bool {
	h := fnv.New32a()
	h.Write([]byte(path)) // a hash never fails
	return h.Sum32()%s.of == s.index
}

func (s share) String() string {
	return strconv.Itoa(int(s.index)) + "/" + strconv.Itoa(int(s.of))
}
