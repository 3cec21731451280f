package group

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"

	"github.com/millrace-io/millrace/broker/internal/group/assignor"
)

// decodeConsumer reads a record of the consumer protocol. Values of versions
// that are not known give ErrUnknownRecord, tagged fields that are not known
// are passed over.
func decodeConsumer(version int16, key, value []byte) (Record, error) {
	k := kbin.Reader{Src: key[2:]}
	group, name := k.String(), ""
	switch version {
	case memberKeyVersion, targetKeyVersion, currentKeyVersion, patternKeyVersion:
		name = k.String()
	}
	if err := k.Complete(); err != nil {
		return nil, fmt.Errorf("key of version %d: %w", version, err)
	}
	if value == nil {
		return consumerTombstone(version, group, name), nil
	}
	r := &valueReader{kbin.Reader{Src: value}}
	if v := r.Int16(); r.Ok() && v != consumerValueVersion {
		return nil, fmt.Errorf("key version %d, value version %d: %w", version, v, ErrUnknownRecord)
	}
	rec := r.record(version, group, name)
	if err := r.Complete(); err != nil {
		return nil, fmt.Errorf("value of key version %d of group %s: %w", version, group, err)
	}
	return rec, nil
}

func consumerTombstone(version int16, group, name string) Record {
	switch version {
	case epochKeyVersion:
		return &EpochRecord{Group: group}
	case legacyKeyVersion:
		return &LegacyRecord{Group: group, Deleted: true}
	case memberKeyVersion:
		return &MemberRecord{Group: group, Member: name}
	case targetEpochKeyVersion:
		return &TargetEpochRecord{Group: group, Epoch: noEpoch}
	case targetKeyVersion:
		return &TargetRecord{Group: group, Member: name}
	case currentKeyVersion:
		return &CurrentRecord{Group: group, Member: name}
	}
	return &PatternRecord{Group: group, Pattern: name}
}

// A valueReader reads the flexible values. Its errors stick: what is read
// after one is empty.
type valueReader struct{ kbin.Reader }

func (r *valueReader) record(version int16, group, name string) Record {
	switch version {
	case epochKeyVersion:
		return &EpochRecord{Group: group, Epoch: r.epoch()}
	case legacyKeyVersion:
		r.Src = nil
		return &LegacyRecord{Group: group}
	case memberKeyVersion:
		return &MemberRecord{Group: group, Member: name, Info: r.info()}
	case targetEpochKeyVersion:
		rec := &TargetEpochRecord{Group: group, Epoch: max(r.Int32(), 0)}
		r.tags(nil)
		return rec
	case targetKeyVersion:
		rec := &TargetRecord{Group: group, Member: name, Target: r.target()}
		r.tags(nil)
		return rec
	case currentKeyVersion:
		return &CurrentRecord{Group: group, Member: name, Current: r.current()}
	}
	rec := &PatternRecord{Group: group, Pattern: name, Match: &Match{}}
	rec.Match.Topics = names(r.strings())
	rec.Match.Version = uint64(r.Int64())
	rec.Match.At = time.UnixMilli(r.Int64())
	r.tags(nil)
	return rec
}

func (r *valueReader) epoch() *Epoch {
	e := &Epoch{At: r.Int32()}
	r.tags(func(tag uint32, field *valueReader) {
		if tag == epochHashTag {
			e.Hash = uint64(field.Int64())
		}
	})
	return e
}

func (r *valueReader) info() *MemberInfo {
	i := &MemberInfo{Instance: deref(r.CompactNullableString()), Rack: deref(r.CompactNullableString())}
	i.Client = Client{ID: r.CompactString(), Host: r.CompactString()}
	i.Topics = names(r.strings())
	i.Pattern = deref(r.CompactNullableString())
	i.RebalanceTimeout = millis(r.Int32())
	i.Assignor = deref(r.CompactNullableString())
	r.tags(func(tag uint32, field *valueReader) {
		if tag == memberClassicTag && field.Int8() >= 0 {
			i.Classic = field.classic()
		}
	})
	return i
}

func (r *valueReader) classic() *ClassicInfo {
	c := &ClassicInfo{SessionTimeout: millis(r.Int32())}
	for n := r.CompactArrayLen(); n > 0 && r.Ok(); n-- {
		c.Protocols = append(c.Protocols, protocol{name: r.CompactString(), metadata: bytes.Clone(r.CompactBytes())})
		r.tags(nil)
	}
	r.tags(nil)
	return c
}

func (r *valueReader) target() assignor.Assignment {
	a := assignor.Assignment{}
	for n := r.CompactArrayLen(); n > 0 && r.Ok(); n-- {
		id := r.Uuid()
		if partitions := r.ints(); len(partitions) > 0 {
			slices.Sort(partitions)
			a[id] = slices.Compact(partitions)
		}
		r.tags(nil)
	}
	return a
}

func (r *valueReader) current() *Current {
	c := &Current{Epoch: r.Int32(), Previous: r.Int32(), State: MemberState(r.Int8())}
	c.Assigned = r.holding(c.Epoch)
	c.Revoking = r.holding(c.Epoch)
	r.tags(nil)
	return c
}

// holding reads partitions with their epochs. Kafka before 4.3 wrote none; the
// member's own is then the newest it can be.
func (r *valueReader) holding(member int32) Holding {
	h := Holding{}
	for n := r.CompactArrayLen(); n > 0 && r.Ok(); n-- {
		id, partitions, epochs := r.Uuid(), r.ints(), []int32(nil)
		r.tags(func(tag uint32, field *valueReader) {
			if tag == holdingEpochsTag {
				epochs = field.ints()
			}
		})
		for i, p := range partitions {
			epoch := member
			if i < len(epochs) {
				epoch = epochs[i]
			}
			h.add(id, p, epoch)
		}
	}
	return h
}

func (r *valueReader) strings() (list []string) {
	for n := r.CompactArrayLen(); n > 0 && r.Ok(); n-- {
		list = append(list, r.CompactString())
	}
	return list
}

func (r *valueReader) ints() (list []int32) {
	for n := r.CompactArrayLen(); n > 0 && r.Ok(); n-- {
		list = append(list, r.Int32())
	}
	return list
}

// tags reads the tagged fields of a structure. One that does not read whole
// spoils the record.
func (r *valueReader) tags(each func(tag uint32, field *valueReader)) {
	for n := r.Uvarint(); n > 0 && r.Ok(); n-- {
		tag, size := r.Uvarint(), r.Uvarint()
		if uint64(size) > uint64(len(r.Src)) {
			r.Span(len(r.Src) + 1) // which fails
			return
		}
		field := &valueReader{kbin.Reader{Src: r.Span(int(size))}}
		if each == nil || !r.Ok() {
			continue
		}
		if each(tag, field); !field.Ok() {
			r.Span(len(r.Src) + 1)
		}
	}
}
