package wire

// ProduceResponse appends the response to a Produce request piece by piece:
//
//	resp := wire.ProduceResponse(version)
//	dst = resp.Begin(dst, topics)
//	for each topic {
//		dst = resp.Topic(dst, name, id, partitions)
//		for each partition {
//			dst = resp.Partition(dst, &result)
//		}
//		dst = resp.EndTopic(dst)
//	}
//	dst = resp.End(dst, throttleMillis, leaders)
//
// The value is the version.
type ProduceResponse int16

// ProducePartition is the outcome of one partition of a Produce request.
type ProducePartition struct {
	Partition int32
	ErrorCode int16
	// BaseOffset is the first record's offset, -1 on an error.
	BaseOffset int64
	// LogAppendTime is in milliseconds, -1 for topics with CreateTime.
	LogAppendTime  int64
	LogStartOffset int64
	// RecordErrors names the records at fault (KIP-467, v8+).
	RecordErrors []RecordError
	// ErrorMessage says more than the code, empty for nothing (v8+).
	ErrorMessage string
	// Leader is sent with NOT_LEADER_OR_FOLLOWER (v10+).
	Leader Leader
}

// RecordError is one record that made its batch fail.
type RecordError struct {
	Index   int32
	Message string
}

func (v ProduceResponse) flexible() bool { return v >= 9 }

// Begin appends what stands before the first topic.
func (v ProduceResponse) Begin(dst []byte, topics int) []byte {
	return appendArray(dst, v.flexible(), topics)
}

// Topic opens a topic, by name up to v12, then by id.
func (v ProduceResponse) Topic(dst []byte, name string, id [16]byte, partitions int) []byte {
	if v >= 13 {
		dst = append(dst, id[:]...)
	} else {
		dst = appendString(dst, v.flexible(), name)
	}
	return appendArray(dst, v.flexible(), partitions)
}

// Partition appends one partition of the open topic.
func (v ProduceResponse) Partition(dst []byte, p *ProducePartition) []byte {
	dst = appendInt32(dst, p.Partition)
	dst = appendInt16(dst, p.ErrorCode)
	dst = appendInt64(dst, p.BaseOffset)
	dst = appendInt64(dst, p.LogAppendTime)
	if v >= 5 {
		dst = appendInt64(dst, p.LogStartOffset)
	}
	if v >= 8 {
		dst = v.recordErrors(dst, p.RecordErrors)
		dst = appendNullable(dst, v.flexible(), p.ErrorMessage)
	}
	switch {
	case v >= 10 && p.Leader != NoLeader:
		dst = append(dst, 1)
		dst = appendLeaderTag(dst, 0, p.Leader)
	case v.flexible():
		dst = append(dst, 0)
	}
	return dst
}

func (v ProduceResponse) recordErrors(dst []byte, errs []RecordError) []byte {
	dst = appendArray(dst, v.flexible(), len(errs))
	for _, e := range errs {
		dst = appendInt32(dst, e.Index)
		dst = appendNullable(dst, v.flexible(), e.Message)
		if v.flexible() {
			dst = append(dst, 0)
		}
	}
	return dst
}

// EndTopic closes the open topic.
func (v ProduceResponse) EndTopic(dst []byte) []byte {
	if v.flexible() {
		dst = append(dst, 0)
	}
	return dst
}

// End appends what follows the last topic. The endpoints of the leaders named
// in hints are sent from v10 on.
func (v ProduceResponse) End(dst []byte, throttleMillis int32, leaders []Endpoint) []byte {
	dst = appendInt32(dst, throttleMillis)
	switch {
	case v >= 10:
		dst = appendEndpoints(dst, leaders)
	case v.flexible():
		dst = append(dst, 0)
	}
	return dst
}
