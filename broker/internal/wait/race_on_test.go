//go:build race

package wait_test

// raceEnabled skips allocation tests: the race detector allocates.
const raceEnabled = true
