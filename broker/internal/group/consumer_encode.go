package group

import (
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"

	"github.com/millrace-io/millrace/broker/internal/group/assignor"
)

// Encoding of the consumer protocol's records. Keys are of Kafka's older kind:
// a version and strings with a length of two bytes. Values are flexible
// (KIP-482): compact lengths, and tagged fields at the end of each structure.

// Encode implements Record.
func (r *EpochRecord) Encode() (key, value []byte) {
	key = consumerKey(epochKeyVersion, r.Group)
	if r.Epoch == nil {
		return key, nil
	}
	b := kbin.AppendInt32(newValue(), r.Epoch.At)
	if r.Epoch.Hash == 0 { // the default
		return key, noTags(b)
	}
	b = kbin.AppendUvarint(b, 1)
	return key, appendTag(b, epochHashTag, kbin.AppendInt64(nil, int64(r.Epoch.Hash)))
}

// Encode implements Record.
func (r *LegacyRecord) Encode() (key, value []byte) {
	return consumerKey(legacyKeyVersion, r.Group), nil
}

// Encode implements Record.
func (r *MemberRecord) Encode() (key, value []byte) {
	key = consumerKey(memberKeyVersion, r.Group, r.Member)
	if r.Info == nil {
		return key, nil
	}
	i := r.Info
	b := kbin.AppendCompactNullableString(newValue(), optional(i.Instance))
	b = kbin.AppendCompactNullableString(b, optional(i.Rack))
	b = kbin.AppendCompactString(b, i.Client.ID)
	b = kbin.AppendCompactString(b, i.Client.Host)
	b = appendStrings(b, i.Topics)
	b = kbin.AppendCompactNullableString(b, optional(i.Pattern))
	b = kbin.AppendInt32(b, int32(i.RebalanceTimeout/time.Millisecond))
	b = kbin.AppendCompactNullableString(b, optional(i.Assignor))
	if i.Classic == nil {
		return key, noTags(b)
	}
	b = kbin.AppendUvarint(b, 1)
	return key, appendTag(b, memberClassicTag, i.Classic.encode())
}

func (c *ClassicInfo) encode() []byte {
	b := []byte{1} // it is there: a structure that may be null says so
	b = kbin.AppendInt32(b, int32(c.SessionTimeout/time.Millisecond))
	b = kbin.AppendCompactArrayLen(b, len(c.Protocols))
	for _, p := range c.Protocols {
		b = kbin.AppendCompactString(b, p.name)
		b = noTags(kbin.AppendCompactBytes(b, p.metadata))
	}
	return noTags(b)
}

// Encode implements Record.
func (r *TargetEpochRecord) Encode() (key, value []byte) {
	key = consumerKey(targetEpochKeyVersion, r.Group)
	if r.tombstone() {
		return key, nil
	}
	return key, noTags(kbin.AppendInt32(newValue(), r.Epoch))
}

// Encode implements Record.
func (r *TargetRecord) Encode() (key, value []byte) {
	key = consumerKey(targetKeyVersion, r.Group, r.Member)
	if r.Target == nil {
		return key, nil
	}
	b := kbin.AppendCompactArrayLen(newValue(), len(r.Target))
	for _, id := range sortedTopics(r.Target) {
		b = append(b, id[:]...)
		b = noTags(appendInts(b, r.Target[id]))
	}
	return key, noTags(b)
}

func sortedTopics(a assignor.Assignment) []TopicID {
	return slices.SortedFunc(maps.Keys(a), compareIDs)
}

// Encode implements Record.
func (r *CurrentRecord) Encode() (key, value []byte) {
	key = consumerKey(currentKeyVersion, r.Group, r.Member)
	if r.Current == nil {
		return key, nil
	}
	b := kbin.AppendInt32(newValue(), r.Current.Epoch)
	b = kbin.AppendInt32(b, r.Current.Previous)
	b = append(b, byte(r.Current.State))
	b = r.Current.Assigned.append(b)
	return key, noTags(r.Current.Revoking.append(b))
}

// append writes a holding, with the epoch of each partition beside (KIP-1251).
func (h Holding) append(b []byte) []byte {
	b = kbin.AppendCompactArrayLen(b, len(h))
	for _, id := range h.topics() {
		partitions := slices.Sorted(maps.Keys(h[id]))
		epochs := make([]int32, len(partitions))
		for i, p := range partitions {
			epochs[i] = h[id][p]
		}
		b = append(b, id[:]...)
		b = appendInts(b, partitions)
		b = kbin.AppendUvarint(b, 1)
		b = appendTag(b, holdingEpochsTag, appendInts(nil, epochs))
	}
	return b
}

// Encode implements Record.
func (r *PatternRecord) Encode() (key, value []byte) {
	key = consumerKey(patternKeyVersion, r.Group, r.Pattern)
	if r.Match == nil {
		return key, nil
	}
	b := appendStrings(newValue(), r.Match.Topics)
	b = kbin.AppendInt64(b, int64(r.Match.Version))
	return key, noTags(kbin.AppendInt64(b, r.Match.At.UnixMilli()))
}

// The tagged fields that are written.
const (
	epochHashTag     = 0
	memberClassicTag = 0
	holdingEpochsTag = 0
)

func consumerKey(version int16, names ...string) []byte {
	b := kbin.AppendInt16(nil, version)
	for _, name := range names {
		b = kbin.AppendString(b, name)
	}
	return b
}

func newValue() []byte { return kbin.AppendInt16(nil, consumerValueVersion) }

func noTags(b []byte) []byte { return append(b, 0) }

func appendTag(b []byte, tag uint32, field []byte) []byte {
	b = kbin.AppendUvarint(b, tag)
	b = kbin.AppendUvarint(b, uint32(len(field)))
	return append(b, field...)
}

func appendStrings(b []byte, list []string) []byte {
	b = kbin.AppendCompactArrayLen(b, len(list))
	for _, s := range list {
		b = kbin.AppendCompactString(b, s)
	}
	return b
}

func appendInts(b []byte, list []int32) []byte {
	b = kbin.AppendCompactArrayLen(b, len(list))
	for _, n := range list {
		b = kbin.AppendInt32(b, n)
	}
	return b
}
