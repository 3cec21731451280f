package coordinator

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/group"
)

func BenchmarkRuntime(b *testing.B) {
	r, log := NewGroups(testOptions()), &memLog{automatic: true}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = r.Run(ctx) }()
	defer func() { cancel(); <-done }()
	r.Lead(0, 1, log)
	if err := r.AwaitLoaded(ctx); err != nil {
		b.Fatal(err)
	}
	m := <-join(r, "g", "", time.Hour)
	<-syncGroup(r, "g", m.MemberID, m.Generation)

	b.Run("heartbeat", func(b *testing.B) {
		req := &group.BeatRequest{Group: "g", MemberID: m.MemberID, Generation: m.Generation}
		b.ReportAllocs()
		for b.Loop() {
			r.Heartbeat(ctx, req, func(resp *group.BeatResponse) {
				if resp.ErrorCode != 0 {
					b.Fatal("refused")
				}
			})
		}
	})
	b.Run("commit", func(b *testing.B) {
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Version, req.Group, req.MemberID, req.Generation = 8, "g", m.MemberID, m.Generation
		req.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: 5}}}}
		b.ReportAllocs()
		for b.Loop() {
			r.OffsetCommit(ctx, req, func(resp *group.CommitResponse) {
				if commitCode(resp) != 0 {
					b.Fatal("refused")
				}
			})
			log.batches = log.batches[:0] // the coordinator is measured, not the log
		}
	})
}
