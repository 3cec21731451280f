//go:build race

package quota_test

// raceEnabled skips allocation counts: pools drop items under the detector.
const raceEnabled = true
