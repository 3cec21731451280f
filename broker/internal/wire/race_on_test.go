//go:build race

package wire

// raceEnabled skips allocation counts: the race detector allocates.
const raceEnabled = true
