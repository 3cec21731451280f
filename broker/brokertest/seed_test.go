package brokertest_test

import "testing"

// TestSeed holds the broker against what every Kafka user takes for granted,
// a row each.
func TestSeed(t *testing.T) {
	for _, row := range []struct {
		name string
		test func(*testing.T)
	}{
		{"metrics", seedMetrics},
	} {
		t.Run(row.name, row.test)
	}
}
