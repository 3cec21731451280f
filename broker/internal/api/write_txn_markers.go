package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/coordinator"
	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/broker/internal/txn"
)

// WriteTxnMarkers (key 27, v1-2): ends transactions in partitions. Brokers
// send it to those that lead a transaction's partitions; an operator sends it
// to abort a transaction that hangs, with what DescribeProducers says of it
// (KIP-664).
//
//   - A partition is answered when the marker is committed.
//   - INVALID_PRODUCER_EPOCH for a marker of an old epoch,
//     TRANSACTION_COORDINATOR_FENCED for one of a coordinator that another has
//     replaced.
//   - From v2 on it says the version of transactions: with 2 the epoch is that
//     of the producer's next transaction (KIP-1228).

// Markers writes the ends of transactions.
type Markers interface {
	// WriteMarker calls done once, on any goroutine, when the marker is
	// committed or cannot be.
	WriteMarker(p txn.Partition, m coordinator.Marker, done func(error))
}

// markerOf is one marker for one partition, and where its outcome goes.
type markerOf struct {
	partition txn.Partition
	marker    coordinator.Marker
	code      *int16
}

func (b *Broker) writeTxnMarkers(_ call, req *kmsg.WriteTxnMarkersRequest, reply func(*kmsg.WriteTxnMarkersResponse)) {
	resp := kmsg.NewPtrWriteTxnMarkersResponse()
	var all []markerOf
	for i := range req.Markers {
		answer, markers := markersOf(&req.Markers[i])
		resp.Markers = append(resp.Markers, answer)
		all = append(all, markers...)
	}
	image := b.image()
	gather(len(all), func(i int, answered func()) {
		m := all[i]
		b.writeMarker(image, m, func(err error) {
			if code := codeOf(err); code != nil {
				*m.code = code.Code
			}
			answered()
		})
	}, func() { reply(resp) })
}

// markersOf takes a marker apart into partitions, with its part of the
// response.
func markersOf(req *kmsg.WriteTxnMarkersRequestMarker) (answer kmsg.WriteTxnMarkersResponseMarker, all []markerOf) {
	answer = kmsg.NewWriteTxnMarkersResponseMarker()
	answer.ProducerID = req.ProducerID
	marker := coordinator.Marker{
		ProducerID: req.ProducerID, ProducerEpoch: req.ProducerEpoch, CoordinatorEpoch: req.CoordinatorEpoch,
		Commit: req.Committed, Version: int16(req.TransactionVersion),
	}
	for _, t := range req.Topics {
		topic := kmsg.NewWriteTxnMarkersResponseMarkerTopic()
		topic.Topic = t.Topic
		topic.Partitions = make([]kmsg.WriteTxnMarkersResponseMarkerTopicPartition, len(t.Partitions))
		for i, index := range t.Partitions {
			topic.Partitions[i].Partition = index
			all = append(all, markerOf{txn.Partition{Topic: t.Topic, Index: index}, marker, &topic.Partitions[i].ErrorCode})
		}
		answer.Topics = append(answer.Topics, topic)
	}
	return answer, all
}

func (b *Broker) writeMarker(image *metadata.Image, m markerOf, done func(error)) {
	part, ok := b.Replicas.Partition(m.partition.Topic, m.partition.Index)
	switch {
	case !ok:
		done(b.absent(image, m.partition.Topic, metadata.UUID{}, m.partition.Index))
	case !part.Leads():
		done(kerr.NotLeaderForPartition)
	case m.marker.ProducerID < 0 || m.marker.ProducerEpoch < 0:
		done(kerr.InvalidRequest)
	default:
		b.Markers.WriteMarker(m.partition, m.marker, done)
	}
}
