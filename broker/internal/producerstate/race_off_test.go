//go:build !race

package producerstate_test

const raceEnabled = false
