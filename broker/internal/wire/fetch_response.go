package wire

// FetchResponse appends the response to a Fetch request piece by piece, with
// room for payload that is not appended but written from a file:
//
//	resp := wire.FetchResponse(version)
//	dst = resp.Begin(dst, throttleMillis, errorCode, sessionID, topics)
//	for each topic {
//		dst = resp.Topic(dst, name, id, partitions)
//		for each partition {
//			dst = resp.Partition(dst, &head, payloadSize)
//			... payloadSize bytes of record batches ...
//			dst = resp.EndPartition(dst, &head)
//		}
//		dst = resp.EndTopic(dst)
//	}
//	dst = resp.End(dst, leaders)
//
// The value is the version.
type FetchResponse int16

// FetchedPartition is what a Fetch response says about a partition beside its
// record batches.
type FetchedPartition struct {
	Partition        int32
	ErrorCode        int16
	HighWatermark    int64
	LastStableOffset int64
	LogStartOffset   int64
	// Aborted lists the aborted transactions that overlap the payload; nil,
	// not empty, for read_uncommitted.
	Aborted []AbortedTransaction
	// PreferredReadReplica is -1 for none (KIP-392, v11+).
	PreferredReadReplica int32
	// DivergingEpoch and DivergingEnd say where to truncate (KIP-595, v12+);
	// both -1 for nowhere.
	DivergingEpoch int32
	DivergingEnd   int64
	// Leader is sent with NOT_LEADER_OR_FOLLOWER and FENCED_LEADER_EPOCH
	// (v12+).
	Leader Leader
}

// AbortedTransaction is an entry of the list by which a consumer under
// read_committed drops records.
type AbortedTransaction struct {
	ProducerID, FirstOffset int64
}

func (v FetchResponse) flexible() bool { return v >= 12 }

// Begin appends what stands before the first topic.
func (v FetchResponse) Begin(dst []byte, throttleMillis int32, errorCode int16, sessionID int32, topics int) []byte {
	dst = appendInt32(dst, throttleMillis)
	if v >= 7 {
		dst = appendInt16(dst, errorCode)
		dst = appendInt32(dst, sessionID)
	}
	return appendArray(dst, v.flexible(), topics)
}

// Topic opens a topic, by name up to v12, then by id.
func (v FetchResponse) Topic(dst []byte, name string, id [16]byte, partitions int) []byte {
	if v >= 13 {
		dst = append(dst, id[:]...)
	} else {
		dst = appendString(dst, v.flexible(), name)
	}
	return appendArray(dst, v.flexible(), partitions)
}

// Partition opens a partition whose payload of that many bytes comes next.
func (v FetchResponse) Partition(dst []byte, p *FetchedPartition, payload int) []byte {
	dst = appendInt32(dst, p.Partition)
	dst = appendInt16(dst, p.ErrorCode)
	dst = appendInt64(dst, p.HighWatermark)
	dst = appendInt64(dst, p.LastStableOffset)
	if v >= 5 {
		dst = appendInt64(dst, p.LogStartOffset)
	}
	dst = v.aborted(dst, p.Aborted)
	if v >= 11 {
		dst = appendInt32(dst, p.PreferredReadReplica)
	}
	if v.flexible() {
		return appendUvarint(dst, payload+1)
	}
	return appendInt32(dst, int32(payload))
}

func (v FetchResponse) aborted(dst []byte, txns []AbortedTransaction) []byte {
	if txns == nil {
		return appendArray(dst, v.flexible(), -1)
	}
	dst = appendArray(dst, v.flexible(), len(txns))
	for _, t := range txns {
		dst = appendInt64(dst, t.ProducerID)
		dst = appendInt64(dst, t.FirstOffset)
		if v.flexible() {
			dst = append(dst, 0)
		}
	}
	return dst
}

// EndPartition closes the open partition, after its payload.
func (v FetchResponse) EndPartition(dst []byte, p *FetchedPartition) []byte {
	if !v.flexible() {
		return dst
	}
	diverging := p.DivergingEpoch >= 0 || p.DivergingEnd >= 0
	hint := p.Leader != NoLeader
	tags := byte(0)
	if diverging {
		tags++
	}
	if hint {
		tags++
	}
	dst = append(dst, tags)
	if diverging {
		dst = append(dst, 0, 13) // tag 0: int32, int64, no tags of its own
		dst = appendInt32(dst, p.DivergingEpoch)
		dst = appendInt64(dst, p.DivergingEnd)
		dst = append(dst, 0)
	}
	if hint {
		dst = appendLeaderTag(dst, 1, p.Leader)
	}
	return dst
}

// EndTopic closes the open topic.
func (v FetchResponse) EndTopic(dst []byte) []byte {
	if v.flexible() {
		dst = append(dst, 0)
	}
	return dst
}

// End appends what follows the last topic. The endpoints of the leaders named
// in hints are sent from v16 on (KIP-951).
func (v FetchResponse) End(dst []byte, leaders []Endpoint) []byte {
	switch {
	case v >= 16:
		dst = appendEndpoints(dst, leaders)
	case v.flexible():
		dst = append(dst, 0)
	}
	return dst
}
