// Package streams processes streams of records in Kafka topics: stateless and
// stateful, with windows in event time, restorable state and repartitioning.
//
// # Build, run, test
//
// A [Builder] collects a topology. [New] checks it, all faults at once, and
// [App.Run] joins the group, restores, processes, commits and leaves:
//
//	b := streams.NewBuilder()
//	lines := streams.Stream(b, "lines", streams.With(serde.String(), serde.String()))
//	words := streams.FlatMapValues(lines, strings.Fields)
//	counts := streams.GroupBy(words, func(_, w string) string { return w }, serde.String()).Count("word-counts")
//	counts.ToStream().To("counts", streams.With(serde.String(), serde.Int64()))
//
//	app, err := streams.New(b, streams.Config{Cluster: profile, AppID: "wordcount", StateDir: "/var/lib/wordcount"})
//	if err != nil {
//		return err
//	}
//	return app.Run(ctx)
//
// The same topology runs without a broker in package streamstest.
//
// # What runs where
//
// Repartition topics cut the topology into subtopologies. A task is a
// subtopology and a partition. It reads its input partitions in the order of
// event time, keeps its stores and writes its outputs; tasks are spread over
// the instances and their workers by the group. [Builder.Topology] describes
// the parts.
//
// # Event time
//
// The timestamp of a record is set at its source, by the topic or by
// [Serdes.EventTime], and travels into everything that comes of it: outputs,
// changelogs, repartition topics. Windows, and what is late for them, go by it
// and never by the clock.
//
// # Guarantee
//
// At least once: offsets are committed only after every output and changelog
// record is acknowledged, and stores are written to disk after that. After a
// crash inputs are read again from the committed offsets. State that is not on
// disk comes back from the changelogs, which may already hold what will be
// processed again: a count can then be higher than the number of records, never
// lower.
//
// # State
//
// Each store has a changelog `<AppID>-<store>-changelog`, from which it can be
// rebuilt anywhere. Names of stores are given by the user and are all that
// internal topics are named after, so topologies can change without losing
// state. See package state for what a crash leaves behind.
//
// # Errors
//
// A record that does not decode, has no event time, or for which a Try
// function fails or any function panics, is a [Fault]. By default it stops the
// application with topic, partition, offset and node. With Config.DeadLetters
// it goes there as it was read, with the reason in headers (KIP-1034), and
// processing goes on.
package streams
