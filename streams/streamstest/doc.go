// Package streamstest runs a topology without a broker, for its tests.
//
// A [Driver] has all tasks of the topology, with as many partitions as the
// test wants, and feeds them in the calling goroutine: what [Input.Pipe] puts
// in has gone through every subtopology, repartition topics included, when it
// returns. Records are processed by the same code that an application runs;
// only topics and stores are in memory, and the clock is the test's.
//
//	d := streamstest.New(t, b, streamstest.Partitions(3))
//	in := streamstest.Input(d, "lines", text)
//	out := streamstest.Output(d, "counts", counts)
//	in.Pipe("", "to be or not to be")
//	streamstest.Latest(out)["be"] // 2
//
// What it does not show: restore, rebalances, and the skew between tasks that
// run at the same time.
package streamstest
