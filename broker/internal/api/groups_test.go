package api

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/controller"
)

// A client of the field produces with every codec and reads it back in a
// group, whose commits another member goes on from.
func TestFranzGo(t *testing.T) {
	n := start(t, setup{})
	n.createTopic(t, controller.NewTopic{Name: "t", Partitions: 3, Replicas: 1})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	codecs := []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}
	var want []string
	for i, codec := range codecs {
		producer := n.kgo(t, kgo.ProducerBatchCompression(codec))
		for j := range 20 {
			value := fmt.Sprintf("%d-%02d %s", i, j, strings.Repeat("x", 100))
			want = append(want, value)
			producer.Produce(ctx, &kgo.Record{Topic: "t", Value: []byte(value)}, func(_ *kgo.Record, err error) {
				if err != nil {
					t.Error(err)
				}
			})
		}
		if err := producer.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	member := func() *kgo.Client {
		return n.kgo(t, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond))
	}
	first := member()
	got := readValues(ctx, t, first, len(want))
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("read %d records, and not those that were produced", len(got))
	}
	if err := first.CommitUncommittedOffsets(ctx); err != nil {
		t.Fatal(err)
	}
	first.Close()
	producer := n.kgo(t)
	if err := producer.ProduceSync(ctx, &kgo.Record{Topic: "t", Value: []byte("late")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if got := readValues(ctx, t, member(), 1); !slices.Equal(got, []string{"late"}) {
		t.Errorf("the next member begins with %q, want what was not committed", got)
	}
}

// readValues polls until n records are there, and sorts them.
func readValues(ctx context.Context, t *testing.T, c *kgo.Client, n int) (values []string) {
	t.Helper()
	for len(values) < n {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("%v after %d of %d records", err, len(values), n)
		}
		fetches.EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	slices.Sort(values)
	return values
}

// Many producers and consumers at once, for the race detector.
func TestConcurrentClients(t *testing.T) {
	n := start(t, setup{})
	n.createTopic(t, controller.NewTopic{Name: "t", Partitions: 4, Replicas: 1})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	const producers, records = 4, 100
	var wg sync.WaitGroup
	for i := range producers {
		client := n.kgo(t, kgo.ProducerLinger(0))
		wg.Go(func() {
			for j := range records {
				client.Produce(ctx, &kgo.Record{Topic: "t", Value: fmt.Appendf(nil, "%d-%d", i, j)}, func(_ *kgo.Record, err error) {
					if err != nil {
						t.Error(err)
					}
				})
			}
			if err := client.Flush(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	for range 2 {
		client := n.kgo(t, kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(50*time.Millisecond))
		wg.Go(func() {
			if got := readValues(ctx, t, client, producers*records); len(slices.Compact(got)) != producers*records {
				t.Errorf("%d different records, want %d", len(slices.Compact(got)), producers*records)
			}
		})
	}
	wg.Wait()
}

func commit(version int16, group, topic string, id [16]byte, partition int32, offset int64) *kmsg.OffsetCommitRequest {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group, req.Generation = version, group, -1
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset = partition, offset
	req.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: topic, TopicID: id, Partitions: []kmsg.OffsetCommitRequestTopicPartition{p}}}
	return req
}

// loaded makes __consumer_offsets and waits until groups are served.
func (n *node) loaded(t *testing.T, c *client) {
	t.Helper()
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.Version, find.CoordinatorKeys = 4, []string{"g"}
	if got := ask[*kmsg.FindCoordinatorResponse](c, find).Coordinators[0]; got.ErrorCode != 0 || got.NodeID != 1 {
		t.Fatalf("FindCoordinator: %+v", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := n.groups.AwaitLoaded(ctx); err != nil {
		t.Fatal(err)
	}
}

// Items 68 and 69, at every version: a simple consumer commits and reads it
// back, by name and by id, for one group and for several.
func TestOffsetsAtEveryVersion(t *testing.T) {
	n := start(t, setup{})
	n.create(t, "t")
	c, id := n.client(t), n.topicID(t, "t")
	n.loaded(t, c)
	for version := int16(2); version <= 10; version++ {
		got := ask[*kmsg.OffsetCommitResponse](c, commit(version, "g", "t", id, 0, int64(version))).Topics[0]
		if got.Partitions[0].ErrorCode != 0 || version >= 10 && got.TopicID != id {
			t.Errorf("commit v%d: %+v", version, got)
		}
	}
	for version := int16(1); version <= 10; version++ {
		for _, group := range []string{"g", "unknown"} {
			want := int64(10)
			if group == "unknown" {
				want = -1
			}
			if got, code := offsetOf(c, version, group, id); got != want || code != 0 {
				t.Errorf("v%d, group %s: offset %d code %d, want %d", version, group, got, code, want)
			}
		}
	}
	for _, test := range []struct {
		req  *kmsg.OffsetCommitRequest
		want *kerr.Error
	}{
		{commit(9, "g", "nowhere", [16]byte{}, 0, 1), kerr.UnknownTopicOrPartition},
		{commit(9, "g", "t", [16]byte{}, 9, 1), kerr.UnknownTopicOrPartition},
		{commit(10, "g", "", [16]byte{1}, 0, 1), kerr.UnknownTopicID},
	} {
		if got := ask[*kmsg.OffsetCommitResponse](c, test.req).Topics[0].Partitions[0]; got.ErrorCode != test.want.Code {
			t.Errorf("%v, want %v", kerr.ErrorForCode(got.ErrorCode), test.want)
		}
	}
}

func offsetOf(c *client, version int16, group string, id [16]byte) (offset int64, code int16) {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Version = version
	if version < 8 {
		req.Group = group
		req.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: "t", Partitions: []int32{0}}}
		resp := ask[*kmsg.OffsetFetchResponse](c, req)
		return resp.Topics[0].Partitions[0].Offset, resp.ErrorCode + resp.Topics[0].Partitions[0].ErrorCode
	}
	wanted := kmsg.NewOffsetFetchRequestGroup()
	wanted.Group = group
	wanted.Topics = []kmsg.OffsetFetchRequestGroupTopic{{Topic: "t", TopicID: id, Partitions: []int32{0}}}
	req.Groups = []kmsg.OffsetFetchRequestGroup{wanted}
	resp := ask[*kmsg.OffsetFetchResponse](c, req).Groups[0]
	return resp.Topics[0].Partitions[0].Offset, resp.ErrorCode + resp.Topics[0].Partitions[0].ErrorCode
}

// Item 83 and the admin side of groups.
func TestItem83_DescribeListAndDeleteGroups(t *testing.T) {
	n := start(t, setup{})
	n.create(t, "t")
	c := n.client(t)
	n.loaded(t, c)
	ask[*kmsg.OffsetCommitResponse](c, commit(8, "g", "t", [16]byte{}, 0, 5))
	for version, want := range map[int16]int16{5: 0, 6: kerr.GroupIDNotFound.Code} {
		req := kmsg.NewPtrDescribeGroupsRequest()
		req.Version, req.Groups = version, []string{"g", "unknown"}
		groups := ask[*kmsg.DescribeGroupsResponse](c, req).Groups
		if groups[0].State != "Empty" || groups[0].ErrorCode != 0 {
			t.Errorf("v%d: %+v", version, groups[0])
		}
		if groups[1].Group != "unknown" || groups[1].State != "Dead" || groups[1].ErrorCode != want {
			t.Errorf("v%d: %+v", version, groups[1])
		}
	}
	for filter, want := range map[string]int{"": 1, "empty": 1, "Stable": 0} {
		req := kmsg.NewPtrListGroupsRequest()
		req.Version = 5
		if filter != "" {
			req.StatesFilter = []string{filter}
		}
		if got := ask[*kmsg.ListGroupsResponse](c, req); got.ErrorCode != 0 || len(got.Groups) != want || want > 0 && got.Groups[0].GroupType != "classic" {
			t.Errorf("state %q: %+v", filter, got)
		}
	}
	drop := kmsg.NewPtrDeleteGroupsRequest()
	drop.Version, drop.Groups = 2, []string{"g", "unknown"}
	groups := ask[*kmsg.DeleteGroupsResponse](c, drop).Groups
	if groups[0].ErrorCode != 0 || groups[1].ErrorCode != kerr.GroupIDNotFound.Code {
		t.Errorf("delete: %+v", groups)
	}
	if got, _ := offsetOf(c, 7, "g", [16]byte{}); got != -1 {
		t.Errorf("the offset of a deleted group is %d", got)
	}
}

// A member alone, at every version of JoinGroup (item 7: v0 and v1 too).
func TestItem7_JoinAtEveryVersion(t *testing.T) {
	n := start(t, setup{})
	c := n.client(t)
	n.loaded(t, c)
	for version := range int16(10) {
		join := kmsg.NewPtrJoinGroupRequest()
		join.Version, join.Group, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = version, fmt.Sprint("v", version), 10_000, 10_000
		join.ProtocolType = "consumer"
		join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte{1}}}
		resp := ask[*kmsg.JoinGroupResponse](c, join)
		if version >= 4 {
			if resp.ErrorCode != kerr.MemberIDRequired.Code || resp.MemberID == "" {
				t.Fatalf("v%d without member id: %+v", version, resp)
			}
			join.MemberID = resp.MemberID
			resp = ask[*kmsg.JoinGroupResponse](c, join)
		}
		if resp.ErrorCode != 0 || resp.LeaderID != resp.MemberID || len(resp.Members) != 1 {
			t.Fatalf("v%d: %+v", version, resp)
		}
		leave := kmsg.NewPtrLeaveGroupRequest()
		leave.Version, leave.Group, leave.MemberID = version/2, join.Group, resp.MemberID
		leave.Members = []kmsg.LeaveGroupRequestMember{{MemberID: resp.MemberID}}
		if left := ask[*kmsg.LeaveGroupResponse](c, leave); left.ErrorCode != 0 {
			t.Errorf("LeaveGroup v%d: %+v", leave.Version, left)
		}
		if left := ask[*kmsg.LeaveGroupResponse](c, leave); leave.Version < 3 && left.ErrorCode != kerr.UnknownMemberID.Code {
			t.Errorf("LeaveGroup v%d twice: %+v", leave.Version, left)
		}
	}
}
