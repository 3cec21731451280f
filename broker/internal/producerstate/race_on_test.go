//go:build race

package producerstate_test

// raceEnabled skips allocation tests: the race detector allocates.
const raceEnabled = true
