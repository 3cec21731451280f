package brokertest_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/millrace-io/millrace/broker/brokertest"
	"github.com/millrace-io/millrace/internal/record"
)

// txnBatch is a batch of a transaction, or outside of one.
func txnBatch(t *testing.T, p kmsg.InitProducerIDResponse, sequence int32, inTxn bool, value string) []byte {
	t.Helper()
	var b record.Builder
	b.SetProducer(p.ProducerID, p.ProducerEpoch, sequence)
	b.SetTransactional(inTxn)
	b.Append(record.Record{Timestamp: time.Now().UnixMilli(), Value: []byte(value)})
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(batch)
}

// txnClient speaks the protocol by hand.
type txnClient struct {
	t   *testing.T
	ctx context.Context
	*kgo.Client
	id   string
	node int
}

// byHand makes a client of transactions v1 or v2.
func byHand(ctx context.Context, t *testing.T, c *brokertest.Cluster, id string, v2 bool) *txnClient {
	t.Helper()
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(0, 12) // the last to name topics
	if !v2 {
		versions.SetMaxKeyVersion(0, 10)
		versions.SetMaxKeyVersion(24, 3)
		versions.SetMaxKeyVersion(26, 4)
	}
	cl := c.Kgo(kgo.MaxVersions(versions))
	t.Cleanup(cl.Close)
	metadata, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, cl)
	if err != nil {
		t.Fatal(err)
	}
	return &txnClient{t, ctx, cl, id, int(metadata.Brokers[0].NodeID)}
}

func (c *txnClient) init() kmsg.InitProducerIDResponse {
	c.t.Helper()
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID, req.TransactionTimeoutMillis = &c.id, 60_000
	resp, err := req.RequestWith(c.ctx, c.Client)
	if err != nil || resp.ErrorCode != 0 {
		c.t.Fatalf("InitProducerId: %v %+v", err, resp)
	}
	return *resp
}

// add is AddPartitionsToTxn as clients of transactions v1 send it.
func (c *txnClient) add(p kmsg.InitProducerIDResponse, topic string, partition int32) {
	c.t.Helper()
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = c.id, p.ProducerID, p.ProducerEpoch
	req.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: topic, Partitions: []int32{partition}}}
	resp, err := c.Request(c.ctx, req)
	if err != nil {
		c.t.Fatal(err)
	}
	if code := resp.(*kmsg.AddPartitionsToTxnResponse).Topics[0].Partitions[0].ErrorCode; code != 0 {
		c.t.Fatal(kerr.ErrorForCode(code))
	}
}

func (c *txnClient) end(p kmsg.InitProducerIDResponse, commit bool) {
	c.t.Helper()
	for {
		req := kmsg.NewPtrEndTxnRequest()
		req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = c.id, p.ProducerID, p.ProducerEpoch, commit
		resp, err := c.Request(c.ctx, req)
		if err != nil {
			c.t.Fatal(err)
		}
		switch code := resp.(*kmsg.EndTxnResponse).ErrorCode; code {
		case 0:
			return
		case kerr.ConcurrentTransactions.Code:
		default:
			c.t.Fatal(kerr.ErrorForCode(code))
		}
	}
}

// produce sends a batch, and returns the partition's error.
func (c *txnClient) produce(transactional bool, topic string, partition int32, batch []byte) error {
	c.t.Helper()
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 10_000
	if transactional {
		req.TransactionID = &c.id
	}
	req.Topics = []kmsg.ProduceRequestTopic{{Topic: topic, Partitions: []kmsg.ProduceRequestTopicPartition{{Partition: partition, Records: batch}}}}
	resp, err := c.Broker(c.node).Request(c.ctx, req)
	if err != nil {
		c.t.Fatal(err)
	}
	return kerr.ErrorForCode(resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode)
}

// stable is the last stable offset and the high watermark, as ListOffsets says.
func (c *txnClient) stable(topic string) (lso, hw int64) {
	c.t.Helper()
	ends := [2]int64{}
	for isolation := range int8(2) {
		req := kmsg.NewPtrListOffsetsRequest()
		req.ReplicaID, req.IsolationLevel = -1, isolation
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Timestamp, p.CurrentLeaderEpoch = -1, -1
		req.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: topic, Partitions: []kmsg.ListOffsetsRequestTopicPartition{p}}}
		resp, err := c.Broker(c.node).Request(c.ctx, req)
		if err != nil {
			c.t.Fatal(err)
		}
		found := resp.(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0]
		if found.ErrorCode != 0 {
			c.t.Fatal(kerr.ErrorForCode(found.ErrorCode))
		}
		ends[isolation] = found.Offset
	}
	return ends[1], ends[0]
}

func (c *txnClient) producers(topic string) []kmsg.DescribeProducersResponseTopicPartitionActiveProducer {
	c.t.Helper()
	req := kmsg.NewPtrDescribeProducersRequest()
	req.Topics = []kmsg.DescribeProducersRequestTopic{{Topic: topic, Partitions: []int32{0}}}
	resp, err := c.Broker(c.node).Request(c.ctx, req)
	if err != nil {
		c.t.Fatal(err)
	}
	p := resp.(*kmsg.DescribeProducersResponse).Topics[0].Partitions[0]
	if p.ErrorCode != 0 {
		c.t.Fatal(kerr.ErrorForCode(p.ErrorCode))
	}
	return p.ActiveProducers
}

func (c *txnClient) mark(topic string, partition int32, m kmsg.WriteTxnMarkersRequestMarker) error {
	c.t.Helper()
	m.Topics = []kmsg.WriteTxnMarkersRequestMarkerTopic{{Topic: topic, Partitions: []int32{partition}}}
	req := kmsg.NewPtrWriteTxnMarkersRequest()
	req.Markers = []kmsg.WriteTxnMarkersRequestMarker{m}
	resp, err := c.Broker(c.node).Request(c.ctx, req)
	if err != nil {
		c.t.Fatal(err)
	}
	return kerr.ErrorForCode(resp.(*kmsg.WriteTxnMarkersResponse).Markers[0].Topics[0].Partitions[0].ErrorCode)
}

// With transactions v1 a batch for a partition that the coordinator does not
// know of is refused: no marker would ever come, and readers would wait for it
// for ever.
func TestItem45_UnverifiedPartitionIsRefused(t *testing.T) {
	c, ctx := brokertest.Start(t, brokertest.Topic("t", 2)), deadline(t)
	cl := byHand(ctx, t, c, "tx", false)
	p := cl.init()
	if err := cl.produce(true, "t", 0, txnBatch(t, p, 0, true, "too early")); !errors.Is(err, kerr.InvalidTxnState) {
		t.Errorf("B14: without AddPartitionsToTxn: %v", err)
	}
	cl.add(p, "t", 0)
	if err := cl.produce(true, "t", 0, txnBatch(t, p, 0, true, "in time")); err != nil {
		t.Fatal(err)
	}
	if err := cl.produce(true, "t", 1, txnBatch(t, p, 0, true, "elsewhere")); !errors.Is(err, kerr.InvalidTxnState) {
		t.Errorf("B14: to a partition that was not added: %v", err)
	}
	cl.end(p, true)
	// Until its marker stands the partition still is in the transaction, and
	// until the coordinator knows that it stands a producer is asked to retry.
	until(t, "the marker", func() bool {
		lso, hw := cl.stable("t")
		return lso == hw
	})
	var late error
	until(t, "the end", func() bool {
		late = cl.produce(true, "t", 0, txnBatch(t, p, 1, true, "late"))
		return !errors.Is(late, kerr.NotEnoughReplicas)
	})
	if !errors.Is(late, kerr.InvalidTxnState) {
		t.Errorf("after the end: %v", late)
	}
	if lso, hw := cl.stable("t"); lso != hw {
		t.Errorf("the last stable offset %d stays behind the high watermark %d", lso, hw)
	}
}

// With transactions v2 a partition joins by its first batch.
func TestItem44_PartitionsJoinByProduce(t *testing.T) {
	c, ctx := brokertest.Start(t, brokertest.Topic("t", 1)), deadline(t)
	cl := byHand(ctx, t, c, "tx", true)
	p := cl.init()
	if err := cl.produce(true, "t", 0, txnBatch(t, p, 0, true, "joins")); err != nil {
		t.Fatal(err)
	}
	if lso, _ := cl.stable("t"); lso != 0 {
		t.Errorf("last stable offset %d with a transaction open", lso)
	}
	req := kmsg.NewPtrEndTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = cl.id, p.ProducerID, p.ProducerEpoch, true
	resp, err := req.RequestWith(ctx, cl.Client)
	if err != nil || resp.ErrorCode != 0 || resp.ProducerEpoch != p.ProducerEpoch+1 {
		t.Fatalf("EndTxn: %v %+v", err, resp)
	}
	late := txnBatch(t, p, 1, true, "late")
	p.ProducerEpoch = resp.ProducerEpoch
	// The markers may still be on their way: the next transaction waits for
	// them, and the client is not sent away.
	if err := cl.produce(true, "t", 0, txnBatch(t, p, 0, true, "next")); err != nil {
		t.Errorf("the first batch of the next transaction: %v", err)
	}
	if err := cl.produce(true, "t", 0, late); !errors.Is(err, kerr.InvalidProducerEpoch) {
		t.Errorf("a late batch of the transaction before: %v", err)
	}
}

// KIP-664: a transaction that holds readers up is found by who writes to the
// partition, and ended by hand.
func TestItem52_HangingTransactionIsFoundAndAborted(t *testing.T) {
	c, ctx := brokertest.Start(t, brokertest.Topic("t", 1)), deadline(t)
	cl := byHand(ctx, t, c, "tx", false)
	p := cl.init()
	cl.add(p, "t", 0)
	if err := cl.produce(true, "t", 0, txnBatch(t, p, 0, true, "hangs")); err != nil {
		t.Fatal(err)
	}
	if err := cl.produce(true, "t", 0, txnBatch(t, p, 1, true, "hangs too")); err != nil {
		t.Fatal(err)
	}
	all := cl.producers("t")
	if len(all) != 1 || all[0].ProducerID != p.ProducerID || all[0].CurrentTxnStartOffset != 0 || all[0].LastSequence != 1 || all[0].CoordinatorEpoch != -1 {
		t.Fatalf("producers: %+v", all)
	}
	marker := kmsg.WriteTxnMarkersRequestMarker{ProducerID: p.ProducerID, ProducerEpoch: p.ProducerEpoch, CoordinatorEpoch: 7}
	if err := cl.mark("t", 9, marker); !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("marker for a partition that is not there: %v", err)
	}
	if err := cl.mark("t", 0, marker); err != nil {
		t.Fatal(err)
	}
	if lso, hw := cl.stable("t"); lso != 3 || hw != 3 {
		t.Errorf("after the abort: last stable offset %d, high watermark %d", lso, hw)
	}
	if all = cl.producers("t"); all[0].CurrentTxnStartOffset != -1 || all[0].CoordinatorEpoch != 7 {
		t.Errorf("producers after the abort: %+v", all)
	}
	marker.CoordinatorEpoch = 6
	if err := cl.mark("t", 0, marker); !errors.Is(err, kerr.TransactionCoordinatorFenced) {
		t.Errorf("item 46: marker of a coordinator that was replaced: %v", err)
	}
	marker.ProducerEpoch, marker.CoordinatorEpoch = p.ProducerEpoch+1, 8
	if err := cl.mark("t", 0, marker); err != nil {
		t.Fatal(err)
	}
	marker.ProducerEpoch = p.ProducerEpoch
	if err := cl.mark("t", 0, marker); !errors.Is(err, kerr.InvalidProducerEpoch) {
		t.Errorf("marker of an old epoch: %v", err)
	}
}

// B6: the transactional bit without a transaction, and a control batch.
func TestB6_BitsThatAreTheBrokers(t *testing.T) {
	c, ctx := brokertest.Start(t, brokertest.Topic("t", 1)), deadline(t)
	cl := byHand(ctx, t, c, "tx", false)
	p := cl.init()
	if err := cl.produce(false, "t", 0, txnBatch(t, p, 0, true, "value")); !errors.Is(err, kerr.InvalidRecord) {
		t.Errorf("a transactional batch without transactional id: %v", err)
	}
	var b record.Builder
	b.SetProducer(p.ProducerID, p.ProducerEpoch, 0)
	b.SetTransactional(true)
	b.SetControl(true)
	b.Append(record.Record{Key: []byte{0, 0, 0, 1}, Value: []byte{0, 0, 0, 0, 0, 0}})
	marker, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	if err := cl.produce(true, "t", 0, marker); !errors.Is(err, kerr.InvalidRecord) {
		t.Errorf("item 19: a marker by a client: %v", err)
	}
}
