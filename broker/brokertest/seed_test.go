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
		{"group-one-owner", seedGroupOneOwner},
		{"commits", seedCommits},
		{"auto-commit", seedAutoCommit},
		{"at-most-once", seedAtMostOnce},
		{"at-least-once", seedAtLeastOnce},
		{"rebalance-join", seedRebalanceJoin},
		{"rebalance-leave", seedRebalanceLeave},
		{"rebalance-crash", seedRebalanceCrash},
		{"rebalance-topic-change", seedRebalanceTopicChange},
		{"heartbeat-session", seedHeartbeatSession},
	} {
		t.Run(row.name, row.test)
	}
}
