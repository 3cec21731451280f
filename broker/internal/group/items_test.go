package group

import (
	"path/filepath"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// What toy brokers get wrong about classic groups, by the numbers of the
// checklist. Each plays the dialogues that show it.

func TestItem68_FetchOfAnUnknownGroup(t *testing.T)       { plays(t, "fetch_unknown") }
func TestItem69_SimpleConsumerMakesTheGroup(t *testing.T) { plays(t, "simple_consumer") }
func TestItem70_MemberIDRequired(t *testing.T)            { plays(t, "pending", "lifecycle") }
func TestItem71_InitialRebalanceDelay(t *testing.T)       { plays(t, "initial_delay") }
func TestItem72_StaticMembers(t *testing.T)               { plays(t, "static", "only_static") }
func TestItem73_RebalanceTimeoutIsNotTheSession(t *testing.T) {
	plays(t, "sessions", "rebalance_timeout")
}
func TestItem74_ProtocolsSizesAndTimeouts(t *testing.T) { plays(t, "protocols", "max_size") }
func TestItem75_HeartbeatsAndCommitsInARebalance(t *testing.T) {
	plays(t, "heartbeat_phases", "offsets")
}
func TestItem76_RejoinsOfLeaderAndFollower(t *testing.T) { plays(t, "rejoin") }
func TestItem77_CommitAfterTheGroupWentOn(t *testing.T)  { plays(t, "late_commit") }
func TestItem78_ProtocolTypeIsOpaque(t *testing.T)       { plays(t, "opaque") }
func TestItem79_OffsetsExpire(t *testing.T)              { plays(t, "expiry", "expiry_simple") }
func TestItem80_MetadataIsBounded(t *testing.T)          { plays(t, "metadata_size") }
func TestItem82_DeletionOfGroupsAndOffsets(t *testing.T) { plays(t, "delete") }
func TestItem83_DescribeOfAnUnknownGroup(t *testing.T)   { plays(t, "unknown") }

func plays(t *testing.T, names ...string) {
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			d := newDialogue()
			datadriven.RunTest(t, filepath.Join("testdata/dialogue", name+".txt"), func(t *testing.T, c *datadriven.TestData) string {
				return d.play(t, c)
			})
		})
	}
}

// A coordinator that takes over goes on from the log.
func TestCrash(t *testing.T) { plays(t, "crash") }
