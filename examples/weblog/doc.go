// Package weblog is the example behind `make demo`: a web server's access log
// becomes typed records and live counts.
//
//	access log ─ file-source ─▶ access ─▶ parse ─▶ requests ─ mirror ─▶ second cluster
//	                                       │  └─▶ by-status, by-path, by-hour ─ file-sink ─▶ JSON lines
//	                                       └─▶ dead letters, with the reason
//
// Topology is all of the stream processing; connectors.yaml and mirror.yaml
// are the rest. Everything here stands on public packages, so it can be copied
// as the start of something else; demo/ is the harness that runs it in one
// process and checks the result.
//
// # Keys and grace
//
// A log is read back as a whole, so its records are older than the clock and
// not in order: several partitions and a repartition mix what the file had in
// sequence. A window that closes too early would drop some of them. Requests
// are therefore keyed by client, which spreads them evenly, and the hourly
// windows get a grace longer than any log: stream time cannot pass the end of
// a window by that much, so no record can be late. Counts are emitted on
// every update, and the last value of a key is its result. For the same
// reason no topic here may delete records by their age.
package weblog
