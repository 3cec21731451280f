// Package connect is the kit for connectors: the types that a plugin
// implements, the record that travels, and the configuration of a connector
// in its two forms, a YAML tree and Kafka Connect's flat property map.
//
// A connector moves data between an outside system and topics. A source
// writes topics, a sink reads them. It plans tasks; a task is one supervised
// goroutine, the unit of parallelism and of restart. Between task and topic
// stand converters, which turn a value with its schema into bytes and back.
//
//	source task ─ Record ─ converter ─ topic ─ converter ─ Record ─ sink task
//	     │ Position                                            │ Flush
//	     └─ offset topic, once the records are acked           └─ group offsets
//
// # Writing a plugin
//
// A plugin is a value made by [SourcePlugin] or [SinkPlugin]; nothing
// registers itself. Its configuration is one struct whose tags give parsing,
// checks, defaults and documentation (see internal/conf for the tags):
//
//	type settings struct {
//		Path  string `conf:"path,required" doc:"The file, or a glob."`
//		Topic string `conf:"topic,required" doc:"Where the lines go."`
//	}
//
//	var plugin = connect.SourcePlugin(connect.Spec{Name: "tail"},
//		func(s *settings) (connect.Source, error) { return &tail{s}, nil })
//
// # The contract
//
// A source's position is handed back to it after a restart, and never runs
// ahead of what the broker has acked: [SourceTask.Committed] is the only
// place to acknowledge upstream. A sink says with [SinkTask.Flush] what is
// durable, and only that is committed to its consumer group. A blocked call
// returns within a second of its context's end. The methods of a task are
// called one at a time, but for Committed, which may be called while Read
// runs.
//
// An error of a task restarts it with backoff, for ever, unless it is
// [Permanent]: then it stays FAILED until somebody acts.
package connect
