//go:build !race

package schema_test

// raceEnabled is false: allocations can be counted.
const raceEnabled = false
