//go:build race

package server

// raceEnabled skips allocation counts: pools drop items under the detector.
const raceEnabled = true
