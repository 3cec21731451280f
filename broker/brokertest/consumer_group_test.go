package brokertest_test

import (
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/millrace-io/millrace/broker/brokertest"
)

// heartbeat is a raw ConsumerGroupHeartbeat of member m in group g. The client
// does not send one again, so while the coordinator loads it is sent again here.
func heartbeat(t *testing.T, client *kgo.Client, epoch int32, change func(*kmsg.ConsumerGroupHeartbeatRequest)) *kmsg.ConsumerGroupHeartbeatResponse {
	t.Helper()
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Group, req.MemberID, req.MemberEpoch = "g", "m", epoch
	if epoch == 0 {
		req.RebalanceTimeoutMillis, req.SubscribedTopicNames, req.Topics = 60_000, []string{"t"}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	}
	if change != nil {
		change(req)
	}
	var resp *kmsg.ConsumerGroupHeartbeatResponse
	await(t, time.Minute, "coordinator of g", func() (loaded bool) {
		var err error
		if resp, err = req.RequestWith(t.Context(), client); err != nil {
			t.Fatal(err)
		}
		return !loading(resp.ErrorCode)
	})
	return resp
}

// loading reports whether a coordinator is not yet there.
func loading(code int16) bool {
	return code == kerr.CoordinatorLoadInProgress.Code || code == kerr.NotCoordinator.Code
}

func listGroups(t *testing.T, client *kgo.Client, types ...string) (list []string) {
	t.Helper()
	req := kmsg.NewPtrListGroupsRequest()
	req.TypesFilter = types
	var resp *kmsg.ListGroupsResponse
	await(t, time.Minute, "coordinators", func() (loaded bool) {
		var err error
		resp, err = req.RequestWith(t.Context(), client)
		if err != nil || resp.ErrorCode != 0 && !loading(resp.ErrorCode) {
			t.Fatal(err, resp)
		}
		return resp.ErrorCode == 0
	})
	for _, g := range resp.Groups {
		list = append(list, g.Group+" "+g.GroupType+" "+g.GroupState+" "+g.ProtocolType)
	}
	slices.Sort(list)
	return list
}

// The consumer protocol as an administrator sees it.
func TestItem84_ListAndDescribe(t *testing.T) {
	brokertest.Virtual(t, func(t *testing.T, b *brokertest.Cluster) {
		b.CreateTopic("t", 2, nil)
		client := b.Kgo()
		joined := heartbeat(t, client, 0, nil)
		if joined.ErrorCode != 0 || joined.MemberEpoch != 1 || len(joined.Assignment.Topics) != 1 || len(joined.Assignment.Topics[0].Partitions) != 2 {
			t.Fatalf("join: %+v", joined)
		}
		classic := b.Kgo(kgo.ConsumerGroup("classic"), kgo.ConsumeTopics("t"))
		await(t, time.Minute, "classic member", func() bool { member, _ := classic.GroupMetadata(); return member != "" })
		for filter, want := range map[string][]string{
			"Consumer": {"g consumer Stable consumer"},
			"classic":  {"classic classic Stable consumer"},
			"share":    nil,
		} {
			await(t, 20*time.Second, "list of "+filter, func() bool { return slices.Equal(listGroups(t, client, filter), want) })
			if filter == "Consumer" {
				heartbeat(t, client, 1, nil)
			}
		}

		describe := kmsg.NewPtrConsumerGroupDescribeRequest()
		describe.Groups = []string{"g"}
		resp, err := describe.RequestWith(t.Context(), client)
		if err != nil {
			t.Fatal(err)
		}
		g := resp.Groups[0]
		if g.State != "Stable" || g.Epoch != 1 || g.AssignmentEpoch != 1 || g.AssignorName != "uniform" || len(g.Members) != 1 {
			t.Fatalf("describe: %+v", g)
		}
		m := g.Members[0]
		if m.MemberID != "m" || m.MemberEpoch != 1 || m.MemberType != 1 || !slices.Equal(m.SubscribedTopics, []string{"t"}) ||
			len(m.Assignment.TopicPartitions) != 1 || m.Assignment.TopicPartitions[0].Topic != "t" || len(m.TargetAssignment.TopicPartitions) != 1 {
			t.Errorf("member: %+v", m)
		}
		for _, name := range []string{"classic", "unknown"} {
			describe.Groups = []string{name}
			resp, err := describe.RequestWith(t.Context(), client)
			if err != nil || resp.Groups[0].ErrorCode != kerr.GroupIDNotFound.Code {
				t.Errorf("describe %s: %v %+v", name, err, resp.Groups[0])
			}
		}
	})
}

// A group may have intervals of its own, within the broker's bounds.
func TestItem84_GroupConfigs(t *testing.T) {
	brokertest.Virtual(t, func(t *testing.T, b *brokertest.Cluster) {
		b.CreateTopic("t", 1, nil)
		client := b.Kgo()
		if resp := heartbeat(t, client, 0, nil); resp.HeartbeatIntervalMillis != 5000 {
			t.Errorf("the interval is %d ms, want the broker's 5000", resp.HeartbeatIntervalMillis)
		}
		alter := kmsg.NewPtrIncrementalAlterConfigsRequest()
		resource := kmsg.NewIncrementalAlterConfigsRequestResource()
		resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeGroupConfig, "g"
		for name, value := range map[string]string{"consumer.heartbeat.interval.ms": "7000", "consumer.session.timeout.ms": "50000"} {
			c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
			c.Name, c.Value = name, &value
			resource.Configs = append(resource.Configs, c)
		}
		alter.Resources = append(alter.Resources, resource)
		if resp, err := alter.RequestWith(t.Context(), client); err != nil || resp.Resources[0].ErrorCode != 0 {
			t.Fatal(err, resp)
		}
		if resp := heartbeat(t, client, 1, nil); resp.HeartbeatIntervalMillis != 7000 {
			t.Errorf("the interval is %d ms, want the group's 7000", resp.HeartbeatIntervalMillis)
		}
		<-time.After(48 * time.Second) // longer than the broker's session timeout
		if resp := heartbeat(t, client, 1, nil); resp.ErrorCode != 0 {
			t.Errorf("after 48 s of 50: %v", kerr.ErrorForCode(resp.ErrorCode))
		}
		<-time.After(51 * time.Second)
		if resp := heartbeat(t, client, 1, nil); resp.ErrorCode != kerr.UnknownMemberID.Code {
			t.Errorf("after 51 s of 50: %v", kerr.ErrorForCode(resp.ErrorCode))
		}
	})
}

// A pattern that is none is refused, and so is everything where the feature is
// not finalized: clients then speak the classic protocol.
func TestItem84_Refusals(t *testing.T) {
	brokertest.Virtual(t, func(t *testing.T, b *brokertest.Cluster) {
		b.CreateTopic("t", 1, nil)
		client := b.Kgo()
		for _, pattern := range []string{"(", "a)(b", string(make([]byte, 9000))} {
			resp := heartbeat(t, client, 0, func(req *kmsg.ConsumerGroupHeartbeatRequest) { req.SubscribedTopicRegex = &pattern })
			if resp.ErrorCode != kerr.InvalidRegularExpression.Code {
				t.Errorf("pattern %.9q: %v", pattern, kerr.ErrorForCode(resp.ErrorCode))
			}
		}
		update := kmsg.NewPtrUpdateFeaturesRequest()
		feature := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
		feature.Feature, feature.MaxVersionLevel, feature.UpgradeType = "group.version", 0, 2
		update.FeatureUpdates, update.TimeoutMillis = append(update.FeatureUpdates, feature), 10_000
		if resp, err := update.RequestWith(t.Context(), client); err != nil || resp.ErrorCode != 0 {
			t.Fatal(err, resp)
		}
		if resp := heartbeat(t, client, 0, nil); resp.ErrorCode != kerr.UnsupportedVersion.Code {
			t.Errorf("without the feature: %v", kerr.ErrorForCode(resp.ErrorCode))
		}
		o := newOwners(t)
		o.member(b, "first", kgo.Balancers(kgo.StickyBalancer()), kgo.ServerSideBalancer(), kgo.ConsumeTopics("t"))
		o.await(time.Minute, 1)
		if got := listGroups(t, client, "classic"); len(got) != 1 {
			t.Errorf("groups: %v, want a classic one", listGroups(t, client))
		}
	})
}

// Commits carry the member's epoch, and OffsetFetch may: by name in v9, by
// topic id in v10.
func TestItem84_CommitsCarryTheEpoch(t *testing.T) {
	brokertest.Virtual(t, func(t *testing.T, b *brokertest.Cluster) {
		b.CreateTopic("t", 1, nil)
		client := b.Kgo()
		heartbeat(t, client, 0, nil)
		id := topicID(t, b, "t")
		for _, test := range []struct {
			member     string
			epoch      int32
			commit     *kerr.Error
			fetch      *kerr.Error
			maxVersion int16
		}{
			{"m", 1, nil, nil, 10},
			{"m", 1, nil, nil, 9},
			{"m", 2, kerr.StaleMemberEpoch, kerr.StaleMemberEpoch, 10},
			{"m", 0, kerr.StaleMemberEpoch, kerr.StaleMemberEpoch, 9},
			{"x", 1, kerr.UnknownMemberID, kerr.UnknownMemberID, 10},
			{"", -1, kerr.UnknownMemberID, nil, 10},
		} {
			commit := kmsg.NewPtrOffsetCommitRequest()
			commit.Group, commit.MemberID, commit.Generation = "g", test.member, test.epoch
			p := kmsg.NewOffsetCommitRequestTopicPartition()
			p.Offset = 5
			commit.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "t", TopicID: id, Partitions: []kmsg.OffsetCommitRequestTopicPartition{p}}}
			resp := at[*kmsg.OffsetCommitResponse](t, b, commit, test.maxVersion)
			if got := resp.Topics[0].Partitions[0].ErrorCode; resp.Version != test.maxVersion || got != codeOf(test.commit) {
				t.Errorf("commit v%d of %q in %d: %v", resp.Version, test.member, test.epoch, kerr.ErrorForCode(got))
			}
			fetch := kmsg.NewPtrOffsetFetchRequest()
			group := kmsg.NewOffsetFetchRequestGroup()
			group.Group, group.MemberEpoch = "g", test.epoch
			if test.member != "" {
				group.MemberID = &test.member
			}
			group.Topics = []kmsg.OffsetFetchRequestGroupTopic{{Topic: "t", TopicID: id, Partitions: []int32{0}}}
			fetch.Groups = append(fetch.Groups, group)
			fetched := at[*kmsg.OffsetFetchResponse](t, b, fetch, test.maxVersion).Groups[0]
			if fetched.ErrorCode != codeOf(test.fetch) {
				t.Errorf("fetch v%d of %q in %d: %v", test.maxVersion, test.member, test.epoch, kerr.ErrorForCode(fetched.ErrorCode))
			} else if test.fetch == nil && fetched.Topics[0].Partitions[0].Offset != 5 {
				t.Errorf("fetched %+v", fetched)
			}
		}
	})
}

func codeOf(err *kerr.Error) int16 {
	if err == nil {
		return 0
	}
	return err.Code
}

// at sends a request at one version.
func at[R kmsg.Response](t *testing.T, b *brokertest.Cluster, req kmsg.Request, version int16) R {
	t.Helper()
	req.SetVersion(version)
	resp, err := b.Kgo(kgo.MaxVersions(versionsUpTo(req.Key(), version))).Request(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return resp.(R)
}

func versionsUpTo(key, version int16) *kversion.Versions {
	v := kversion.Stable()
	v.SetMaxKeyVersion(key, version)
	return v
}

// The coordinator's memory is its log: after a restart of the broker members go
// on as if nothing had been.
func TestItem84_Restart(t *testing.T) {
	dir := t.TempDir()
	first := brokertest.Start(t, brokertest.Dir(dir), brokertest.Topic("t", 3))
	joined := heartbeat(t, first.Kgo(), 0, nil)
	first.Close()

	second := brokertest.Start(t, brokertest.Dir(dir))
	client := second.Kgo()
	resp := heartbeat(t, client, joined.MemberEpoch, nil)
	if resp.ErrorCode != 0 || resp.MemberEpoch != joined.MemberEpoch || resp.Assignment != nil {
		t.Errorf("a heartbeat after the restart: %+v, want the epoch %d and nothing new", resp, joined.MemberEpoch)
	}
	resp = heartbeat(t, client, -1, nil)
	if resp.ErrorCode != 0 || resp.MemberEpoch != -1 {
		t.Errorf("leave: %+v", resp)
	}
}

// Members are replaced one by one by such of the other protocol, and back again.
// At no time has a partition two owners, and after each step each has one.
func TestItem84_MigrationOnline(t *testing.T) {
	brokertest.Virtual(t, func(t *testing.T, b *brokertest.Cluster) {
		b.CreateTopic("t", 6, nil)
		o := newOwners(t)
		admin := b.Kgo()
		classic := func(name string) *mortal {
			return o.member(b, name, kgo.Balancers(kgo.CooperativeStickyBalancer()), kgo.ConsumeTopics("t"))
		}
		consumer := func(name string) *mortal {
			return o.member(b, name, kgo.Balancers(kgo.StickyBalancer()), kgo.ServerSideBalancer(), kgo.ConsumeTopics("t"))
		}
		is := func(kind string) {
			t.Helper()
			if got := listGroups(t, admin, kind); len(got) != 1 {
				t.Errorf("groups: %v, want one of kind %s", listGroups(t, admin), kind)
			}
		}
		c1, c2 := classic("c1"), classic("c2")
		o.await(time.Minute, 3, 3)
		is("classic")
		n1 := consumer("n1")
		o.await(2*time.Minute, 2, 2, 2)
		is("consumer")
		c1.Close()
		o.await(2*time.Minute, 3, 3)
		n2 := consumer("n2")
		o.await(2*time.Minute, 2, 2, 2)
		c2.Close()
		o.await(2*time.Minute, 3, 3)
		is("consumer")

		c3 := classic("c3")
		o.await(2*time.Minute, 2, 2, 2)
		n1.Close()
		o.await(2*time.Minute, 3, 3)
		is("consumer")
		n2.Close()
		o.await(2*time.Minute, 6)
		is("classic")
		c3.Close()
	})
}
