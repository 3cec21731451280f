//go:build race

package replica_test

// raceEnabled skips allocation tests: the race detector allocates.
const raceEnabled = true
