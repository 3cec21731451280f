//go:build !race

package wait_test

const raceEnabled = false
