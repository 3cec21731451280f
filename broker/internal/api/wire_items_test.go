package api

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// librdkafka before 2.0.3 stops compressing where Produce is not advertised
// from 0 (KAFKA-18659), and nothing speaks v0 to v2 any more.
func TestItem6_ProduceIsAdvertisedFromZeroAndRefusedBelowThree(t *testing.T) {
	n := start(t, setup{})
	n.create(t, "t")
	resp := ask[*kmsg.ApiVersionsResponse](n.client(t), kmsg.NewPtrApiVersionsRequest())
	for _, k := range resp.ApiKeys {
		if k.ApiKey == 0 && (k.MinVersion != 0 || k.MaxVersion != 13) {
			t.Errorf("Produce is advertised as %d to %d", k.MinVersion, k.MaxVersion)
		}
	}
	for version := range int16(3) {
		c := n.client(t)
		c.send(produceTo(version, 1, "t", [16]byte{}, 0, batch(t, "v")))
		c.closed()
	}
	if p, _ := n.set.Partition("t", 0); p.LogEnd() != 0 {
		t.Error("a refused Produce left records")
	}
}

func TestItem8_SoftwareNamesAreCheckedByPattern(t *testing.T) {
	c := start(t, setup{}).client(t)
	req := kmsg.NewPtrApiVersionsRequest()
	for name, good := range map[string]bool{
		"kgo": true, "apache-kafka-java": true, "a": true, "v1.22.2": true, "0.1": true,
		"": false, "-x": false, "x-": false, ".": false, "a b": false, "ü": false, "a\x00": false, "a/b": false,
	} {
		want := int16(0)
		if !good {
			want = kerr.InvalidRequest.Code
		}
		for version := int16(3); version <= 5; version++ {
			req.Version, req.NodeID = version, -1
			req.ClientSoftwareName, req.ClientSoftwareVersion = name, "1"
			if got := ask[*kmsg.ApiVersionsResponse](c, req).ErrorCode; got != want {
				t.Errorf("v%d, name %q: code %d, want %d", version, name, got, want)
			}
			req.ClientSoftwareName, req.ClientSoftwareVersion = "kgo", name
			if got := ask[*kmsg.ApiVersionsResponse](c, req).ErrorCode; got != want {
				t.Errorf("v%d, version %q: code %d, want %d", version, name, got, want)
			}
		}
	}
}

// tagged is a frame with an unknown tagged field in its header, and one behind
// its body, of any flexible request that ends with its tags.
func tagged(req kmsg.Request, id int32) []byte {
	field := []byte{1, 0xe9, 0x07, 3, 'n', 'e', 'w'} // one field, tag 1001, three bytes
	var f []byte
	f = binary.BigEndian.AppendUint16(f, uint16(req.Key()))
	f = binary.BigEndian.AppendUint16(f, uint16(req.GetVersion()))
	f = binary.BigEndian.AppendUint32(f, uint32(id))
	f = append(f, 0, 4, 't', 'e', 's', 't')
	f = append(f, field...)
	body := req.AppendTo(nil)
	f = append(append(f, body[:len(body)-1]...), field...)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(f))), f...)
}

func TestItem9_W13_UnknownTagsAreSkipped(t *testing.T) {
	n := start(t, setup{})
	n.create(t, "t")
	id := n.topicID(t, "t")
	versions := kmsg.NewPtrApiVersionsRequest()
	versions.Version, versions.ClientSoftwareName, versions.ClientSoftwareVersion = 4, "test", "1"
	for _, req := range []kmsg.Request{
		versions, produceTo(9, 1, "t", [16]byte{}, 0, batch(t, "v")), fetchFrom(12, "t", [16]byte{}, 0),
		fetchFrom(17, "", id, 0), metadataFor(12, "t"), createTopic(7, "made", 1, 1),
	} {
		t.Run(kmsg.NameForKey(req.Key()), func(t *testing.T) {
			c := n.client(t)
			if _, err := c.conn.Write(tagged(req, 1)); err != nil {
				t.Fatal(err)
			}
			resp := c.receive(req, 1)
			// What is sent is only what this version of the API defines.
			again := req.ResponseKind()
			if err := again.ReadFrom(resp.AppendTo(nil)); err != nil {
				t.Fatal(err)
			}
		})
	}
	if got := named(ask[*kmsg.MetadataResponse](n.client(t), metadataFor(12, "made"))); got != "made" {
		t.Errorf("the request with an unknown tag was not carried out: %q", got)
	}
	if p, _ := n.set.Partition("t", 0); p.LogEnd() != 1 {
		t.Errorf("the Produce with an unknown tag: the log ends at %d", p.LogEnd())
	}
}

func TestW15_NamesThatAreNoText(t *testing.T) {
	n := start(t, setup{})
	c := n.client(t)
	for _, name := range []string{"\xff\xfe", "a\x00b", "a\xc3"} {
		if got := ask[*kmsg.MetadataResponse](c, metadataFor(4, name)).Topics[0].ErrorCode; got != kerr.InvalidTopicException.Code {
			t.Errorf("Metadata of %q: %v", name, kerr.ErrorForCode(got))
		}
		if got := ask[*kmsg.CreateTopicsResponse](c, createTopic(7, name, 1, 1)).Topics[0].ErrorCode; got != kerr.InvalidTopicException.Code {
			t.Errorf("CreateTopics of %q: %v", name, kerr.ErrorForCode(got))
		}
		if got := produced(c, produceTo(9, 1, name, [16]byte{}, 0, batch(t, "v"))).ErrorCode; got != kerr.InvalidTopicException.Code {
			t.Errorf("Produce to %q: %v", name, kerr.ErrorForCode(got))
		}
	}
}

func TestW17_PartitionsThatCannotBe(t *testing.T) {
	n := start(t, setup{})
	n.create(t, "t")
	c := n.client(t)
	want := kerr.UnknownTopicOrPartition.Code
	for _, index := range []int32{-1, 1, 1<<31 - 1, -1 << 31} {
		if got := produced(c, produceTo(9, 1, "t", [16]byte{}, index, batch(t, "v"))).ErrorCode; got != want {
			t.Errorf("Produce to %d: %v", index, kerr.ErrorForCode(got))
		}
		fetch := fetchFrom(12, "t", [16]byte{}, 0)
		fetch.Topics[0].Partitions[0].Partition = index
		if got := fetched(c, fetch).ErrorCode; got != want {
			t.Errorf("Fetch of %d: %v", index, kerr.ErrorForCode(got))
		}
		list := kmsg.NewPtrListOffsetsRequest()
		list.Version = 7
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = index, -1
		list.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "t", Partitions: []kmsg.ListOffsetsRequestTopicPartition{p}}}
		if got := ask[*kmsg.ListOffsetsResponse](c, list).Topics[0].Partitions[0].ErrorCode; got != want {
			t.Errorf("ListOffsets of %d: %v", index, kerr.ErrorForCode(got))
		}
		epochs := kmsg.NewPtrOffsetForLeaderEpochRequest()
		epochs.Version = 3
		e := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
		e.Partition = index
		epochs.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{e}}}
		if got := ask[*kmsg.OffsetForLeaderEpochResponse](c, epochs).Topics[0].Partitions[0].ErrorCode; got != want {
			t.Errorf("OffsetForLeaderEpoch of %d: %v", index, kerr.ErrorForCode(got))
		}
	}
}

func TestW22_ProduceToAnInternalTopic(t *testing.T) {
	n := start(t, setup{})
	c := n.client(t)
	n.loaded(t, c) // makes __consumer_offsets
	for _, version := range []int16{9, 13} {
		got := produced(c, produceTo(version, 1, offsetsTopic, n.topicID(t, offsetsTopic), 0, batch(t, "v")))
		if got.ErrorCode != kerr.InvalidTopicException.Code {
			t.Errorf("v%d: %v, want INVALID_TOPIC_EXCEPTION", version, kerr.ErrorForCode(got.ErrorCode))
		}
	}
	if p, _ := n.set.Partition(offsetsTopic, 0); p.LogEnd() != 0 {
		t.Error("a client's record is among the groups'")
	}
}

// Nothing else tells a client with acks=0 that something was not appended.
func TestW24_ErrorsWithoutAcksClose(t *testing.T) {
	n := start(t, setup{})
	n.create(t, "t")
	for name, req := range map[string]*kmsg.ProduceRequest{
		"no such topic": produceTo(9, 0, "nowhere", [16]byte{}, 0, batch(t, "v")),
		"bad CRC":       produceTo(9, 0, "t", [16]byte{}, 0, corrupt(batch(t, "v"))),
		"no batch":      produceTo(9, 0, "t", [16]byte{}, 0, nil),
	} {
		t.Run(name, func(t *testing.T) {
			c := n.client(t)
			c.send(req)
			c.closed()
		})
	}
}

func TestW25_MembersThatBringTooMuch(t *testing.T) {
	n := start(t, setup{})
	c := n.client(t)
	n.loaded(t, c)
	join := func(protocols ...kmsg.JoinGroupRequestProtocol) *kmsg.JoinGroupRequest {
		req := kmsg.NewPtrJoinGroupRequest()
		req.Version, req.Group, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 3, "g", 10_000, 10_000
		req.ProtocolType, req.Protocols = "consumer", protocols
		return req
	}
	many := make([]kmsg.JoinGroupRequestProtocol, 100_000)
	for i := range many {
		many[i].Name = "p"
	}
	for name, req := range map[string]*kmsg.JoinGroupRequest{
		"100,000 protocols":      join(many...),
		"metadata above 1 MiB":   join(kmsg.JoinGroupRequestProtocol{Name: "p", Metadata: make([]byte, 1<<20)}),
		"metadata by two halves": join(kmsg.JoinGroupRequestProtocol{Name: "p", Metadata: make([]byte, 1<<19)}, kmsg.JoinGroupRequestProtocol{Name: "q", Metadata: make([]byte, 1<<19)}),
	} {
		id := c.next + 1
		go c.sendQuietly(req)
		if got := c.receive(req, id).(*kmsg.JoinGroupResponse); got.ErrorCode != kerr.InvalidRequest.Code {
			t.Errorf("%s: %v", name, kerr.ErrorForCode(got.ErrorCode))
		}
		c.next = id
	}
	// A million is above the limit of a frame.
	million := append(many, many...)
	for len(million) < 1_000_000 {
		million = append(million, many...)
	}
	go c.sendQuietly(join(million...))
	if _, err := io.Copy(io.Discard, c.conn); err != nil && !strings.Contains(err.Error(), "closed") {
		t.Logf("the connection ended with %v", err)
	}
}

// sendQuietly writes a request that may be too large for the connection's
// buffer, or refused on the way.
func (c *client) sendQuietly(req kmsg.Request) {
	_, _ = c.conn.Write(kmsg.NewRequestFormatter(kmsg.FormatterClientID("test")).AppendRequest(nil, req, c.next+1))
}

func TestW26_W28_MembersAtTheAPI(t *testing.T) {
	n := start(t, setup{})
	n.create(t, "t")
	c := n.client(t)
	n.loaded(t, c)
	join := func(session int32, member string) *kmsg.JoinGroupResponse {
		req := kmsg.NewPtrJoinGroupRequest()
		req.Version, req.Group, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis, req.MemberID = 3, "g", session, 10_000, member
		req.ProtocolType, req.Protocols = "consumer", []kmsg.JoinGroupRequestProtocol{{Name: "range"}}
		return ask[*kmsg.JoinGroupResponse](c, req)
	}
	for _, session := range []int32{-1, 0, 5999, 1_800_001, 1<<31 - 1} {
		if got := join(session, "").ErrorCode; got != kerr.InvalidSessionTimeout.Code {
			t.Errorf("W26 session timeout %d: %v", session, kerr.ErrorForCode(got))
		}
	}
	if got := join(10_000, "made-up").ErrorCode; got != kerr.UnknownMemberID.Code {
		t.Errorf("W28 join of an unknown member: %v", kerr.ErrorForCode(got))
	}
	member := join(10_000, "")
	beat := kmsg.NewPtrHeartbeatRequest()
	beat.Version, beat.Group = 3, "g"
	for _, test := range []struct {
		member     string
		generation int32
		want       *kerr.Error
	}{{"made-up", member.Generation, kerr.UnknownMemberID}, {member.MemberID, 99, kerr.IllegalGeneration}} {
		beat.MemberID, beat.Generation = test.member, test.generation
		if got := ask[*kmsg.HeartbeatResponse](c, beat).ErrorCode; got != test.want.Code {
			t.Errorf("W28 heartbeat of %q in generation %d: %v", test.member, test.generation, kerr.ErrorForCode(got))
		}
		late := commit(7, "g", "t", [16]byte{}, 0, 5)
		late.MemberID, late.Generation = test.member, test.generation
		if got := ask[*kmsg.OffsetCommitResponse](c, late).Topics[0].Partitions[0].ErrorCode; got != test.want.Code {
			t.Errorf("W28 commit of %q in generation %d: %v", test.member, test.generation, kerr.ErrorForCode(got))
		}
	}
}

func TestW27_OffsetMetadataTooLarge(t *testing.T) {
	n := start(t, setup{})
	n.create(t, "t")
	c := n.client(t)
	n.loaded(t, c)
	for size, want := range map[int]int16{4096: 0, 4097: kerr.OffsetMetadataTooLarge.Code} {
		req := commit(7, "g", "t", [16]byte{}, 0, 5)
		req.Topics[0].Partitions[0].Metadata = new(strings.Repeat("x", size))
		if got := ask[*kmsg.OffsetCommitResponse](c, req).Topics[0].Partitions[0].ErrorCode; got != want {
			t.Errorf("%d bytes: %v", size, kerr.ErrorForCode(got))
		}
	}
}

// A client vanishes while its Produce waits, or in the middle of its frame:
// the batch is in the log as a whole or not at all.
func TestW30_ClientVanishesInMidProduce(t *testing.T) {
	n := start(t, setup{})
	n.create(t, "t")
	req := produceTo(9, -1, "t", [16]byte{}, 0, batch(t, "a", "b", "c"))
	frame := kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)
	n.holdFlushes()
	for cut := 1; cut <= len(frame); cut += 7 {
		c := n.client(t)
		if _, err := c.conn.Write(frame[:cut]); err != nil {
			t.Fatal(err)
		}
		_ = c.conn.Close()
	}
	whole := n.client(t)
	whole.send(req)
	p, _ := n.set.Partition("t", 0)
	for deadline := time.Now().Add(10 * time.Second); p.LogEnd() != 3; {
		if time.Now().After(deadline) {
			t.Fatalf("the log ends at %d, want 3: only the whole frame counts", p.LogEnd())
		}
		<-time.After(time.Millisecond)
	}
	_ = whole.conn.Close()
	n.flush()
	got := fetched(n.client(t), fetchFrom(11, "t", [16]byte{}, 0))
	if v := values(t, got.RecordBatches); !bytes.Equal([]byte(strings.Join(v, "")), []byte("abc")) {
		t.Errorf("read %q", v)
	}
}
