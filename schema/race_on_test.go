//go:build race

package schema_test

// raceEnabled: under the race detector pools drop items, so allocations cannot
// be counted.
const raceEnabled = true
