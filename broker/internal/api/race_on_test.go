//go:build race

package api

// raceEnabled skips allocation counts: pools drop items under the detector.
const raceEnabled = true
