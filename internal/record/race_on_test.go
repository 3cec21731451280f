//go:build race

package record_test

// raceEnabled skips allocation tests: the race detector allocates.
const raceEnabled = true
