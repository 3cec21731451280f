//go:build race

package commitlog

// raceEnabled says that the race detector is on: pools then drop items, and
// nothing can be said about allocations.
const raceEnabled = true
