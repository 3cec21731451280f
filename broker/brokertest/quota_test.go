package brokertest_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/brokertest"
)

// A producer that is limited to 100 KiB/s writes ten times what it may write
// at once: an ordinary client slows down and loses nothing.
func TestItem13_AClientIsSlowedDownToItsQuota(t *testing.T) {
	brokertest.Virtual(t, func(t *testing.T, b *brokertest.Cluster) {
		b.CreateTopic("t", 1, nil)
		admin := b.Kgo()
		req := kmsg.NewPtrAlterClientQuotasRequest()
		req.Entries = []kmsg.AlterClientQuotasRequestEntry{{
			Entity: []kmsg.AlterClientQuotasRequestEntryEntity{{Type: "client-id", Name: new("slow")}},
			Ops:    []kmsg.AlterClientQuotasRequestEntryOp{{Key: "producer_byte_rate", Value: 100 << 10}},
		}}
		if resp, err := req.RequestWith(t.Context(), admin); err != nil || resp.Entries[0].ErrorCode != 0 {
			t.Fatal(err, resp)
		}
		const total, window = 11 << 20, 11 * 100 << 10
		for _, id := range []string{"slow", "free"} {
			client := b.Kgo(kgo.ClientID(id), kgo.ProducerBatchMaxBytes(200<<10), kgo.ProducerBatchCompression(kgo.NoCompression()))
			begin := time.Now()
			for range total / (100 << 10) {
				if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: make([]byte, 100<<10)}).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
			took := time.Since(begin)
			client.Close()
			if want := time.Duration((total-window)/(100<<10)) * time.Second; id == "slow" && (took < want/2 || took > 2*want) {
				t.Errorf("the limited client took %v, want about %v", took, want)
			} else if id == "free" && took > time.Second {
				t.Errorf("the other client took %v", took)
			}
		}
	})
}
