// Package bench puts loads on servers of Kafka's protocol and measures what
// they cost: the engine of `millrace bench`.
//
// A load is one of [Produce], [Consume] and [EndToEnd], by franz-go, the same
// client against every server, and [RawProduce] and [RawFetch], by bare
// connections and requests that were encoded once, which reach the server's
// limits instead of the client's. A [Target] is a Millrace, an Apache Kafka or
// whatever else answers; the process behind it is found by its port, and the
// CPU time it uses during a load is read from the kernel.
//
// Timings of one machine mean little and those of a shared one less. So:
//
//   - [Interleave] runs the sides of a comparison in turn, several times, and
//     results are medians with their range. Ratios within one run count.
//   - A [Floor] is a server that only reads, appends and replies. What the
//     same raw load costs there, in the same run, is what the kernel costs.
//     [Measure] takes the figures of the disk and of loopback.
//   - CPU seconds count more than throughput, which the client limits too.
//   - Latency is measured from when a record was due ([EndToEnd]).
//   - Like is compared with like: every load names its [Durability].
//
// [Suite] is the table of docs/performance.md: the workloads, each with its
// gates. Nothing here fails because something is slow.
package bench
