package replica_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/millrace-io/millrace/broker/internal/replica"
)

// TestStateDialogue runs the scripts of testdata/state: events in, effects
// and positions out.
//
//	replica start=0 end=10 flushed=10 hw=4 [pagecache] [min-isr=2]   (broker 1)
//	assign leader=1 epoch=2 version=3 [isr=(1,2)] [replicas=(1,2,3)]
//	append END    flush OFFSET    start OFFSET    configure [pagecache] [min-isr=n]
//	may-append [epoch=n] [acks=n]
func TestStateDialogue(t *testing.T) {
	datadriven.Walk(t, "testdata/state", func(t *testing.T, path string) {
		var s replica.State
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var e replica.Effects
			switch d.Cmd {
			case "replica":
				s = replica.NewState(1, !d.HasArg("pagecache"), int(arg(t, d, "min-isr", 1)), replica.Positions{
					Start: arg(t, d, "start", 0), End: arg(t, d, "end", 0), Flushed: arg(t, d, "flushed", 0), HighWatermark: arg(t, d, "hw", 0),
				})
			case "assign":
				e = s.Assign(replica.Leadership{
					Leader: int32(arg(t, d, "leader", 0)), LeaderEpoch: int32(arg(t, d, "epoch", 0)), PartitionEpoch: int32(arg(t, d, "version", 0)),
					Replicas: brokers(t, d, "replicas"), ISR: brokers(t, d, "isr"),
				})
			case "append":
				e = s.Appended(first(t, d))
			case "flush":
				e = s.Flushed(first(t, d))
			case "start":
				e = s.Started(first(t, d))
			case "configure":
				e = s.Configure(!d.HasArg("pagecache"), int(arg(t, d, "min-isr", 1)))
			case "may-append":
				if err := s.CheckAppend(int32(arg(t, d, "epoch", -1)), int16(arg(t, d, "acks", replica.AcksAll))); err != nil {
					return strings.TrimPrefix(err.Error(), "replica: ") + "\n"
				}
				return "yes\n"
			default:
				t.Fatalf("unknown command %s", d.Cmd)
			}
			return describe(&s, e)
		})
	})
}

func describe(s *replica.State, e replica.Effects) string {
	at := s.Positions()
	var effects []string
	if e.Resigned {
		effects = append(effects, "resigned")
	}
	if e.Leads {
		effects = append(effects, "leads")
	}
	if e.Raised {
		effects = append(effects, "raised")
	}
	out := fmt.Sprintf("%v start=%d hw=%d flushed=%d end=%d", s.Role(), at.Start, at.HighWatermark, at.Flushed, at.End)
	if len(effects) > 0 {
		out += ": " + strings.Join(effects, ", ")
	}
	return out + "\n"
}

func first(t *testing.T, d *datadriven.TestData) int64 {
	var n int64
	if _, err := fmt.Sscan(d.CmdArgs[0].Key, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func arg(t *testing.T, d *datadriven.TestData, key string, otherwise int64) int64 {
	if d.HasArg(key) {
		d.ScanArgs(t, key, &otherwise)
	}
	return otherwise
}

func brokers(t *testing.T, d *datadriven.TestData, key string) []int32 {
	list := []int32{1}
	for _, a := range d.CmdArgs {
		if a.Key == key {
			list = nil
			for _, v := range a.Vals {
				var id int32
				if _, err := fmt.Sscan(v, &id); err != nil {
					t.Fatal(err)
				}
				list = append(list, id)
			}
		}
	}
	return list
}
