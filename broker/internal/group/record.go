package group

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/wire"
)

// ErrUnknownRecord is returned by Decode for keys of other kinds of groups
// (share and streams groups) and of versions that are newer than this code.
var ErrUnknownRecord = errors.New("unknown kind of record")

// The versions that are written. Kafka reads all of them since 2.3 and 2.1.
const (
	offsetKeyVersion         = 1
	offsetValueVersion       = 3
	offsetExpiryValueVersion = 1 // the only one with an expiry of its own
	metadataKeyVersion       = 2
	metadataValueVersion     = 3
)

// From firstFlexibleValue on, values have tagged fields, whose number kmsg
// believes. Their shapes are those of package wire.
const (
	firstFlexibleValue = 4
	offsetShape        = "8 4 s 8 ~"
	metadataShape      = "s 4 s s 8 [ s s s s 4 4 b b ~ ] ~"
)

// A Record is one record of __consumer_offsets, in Kafka's format.
type Record interface {
	// GroupID names the group that the record is about.
	GroupID() string
	// Encode returns the record's key and value. A nil value is a tombstone.
	Encode() (key, value []byte)
}

// OffsetRecord sets or deletes a committed offset.
type OffsetRecord struct {
	Group     string
	Topic     string
	Partition int32
	Offset    *Offset // nil deletes
}

// Offset is a committed offset.
type Offset struct {
	At          int64
	LeaderEpoch int32 // -1 where the client gave none
	Metadata    string
	Committed   time.Time
	Expires     time.Time // zero but for clients before OffsetCommit v5 that ask for it
}

// MetadataRecord sets or deletes a group's last agreed generation.
type MetadataRecord struct {
	Group    string
	Metadata *Metadata // nil deletes the group
}

// Metadata is a generation with its members and their assignments.
type Metadata struct {
	ProtocolType string
	Generation   int32
	Protocol     string
	Leader       string
	Since        time.Time
	Members      []RecordedMember
}

// RecordedMember is a member as the log knows it: with the subscription of the
// chosen protocol only.
type RecordedMember struct {
	ID               string
	Instance         string
	Client           Client
	SessionTimeout   time.Duration
	RebalanceTimeout time.Duration
	Subscription     []byte
	Assignment       []byte
}

// GroupID implements Record.
func (r *OffsetRecord) GroupID() string { return r.Group }

// Encode implements Record.
func (r *OffsetRecord) Encode() (key, value []byte) {
	k := kmsg.OffsetCommitKey{Version: offsetKeyVersion, Group: r.Group, Topic: r.Topic, Partition: r.Partition}
	key = k.AppendTo(nil)
	if r.Offset == nil {
		return key, nil
	}
	v := kmsg.OffsetCommitValue{
		Version:         offsetValueVersion,
		Offset:          r.Offset.At,
		LeaderEpoch:     r.Offset.LeaderEpoch,
		Metadata:        r.Offset.Metadata,
		CommitTimestamp: r.Offset.Committed.UnixMilli(),
	}
	if !r.Offset.Expires.IsZero() {
		v.Version = offsetExpiryValueVersion
		v.ExpireTimestamp = r.Offset.Expires.UnixMilli()
	}
	return key, v.AppendTo(nil)
}

// GroupID implements Record.
func (r *MetadataRecord) GroupID() string { return r.Group }

// Encode implements Record.
func (r *MetadataRecord) Encode() (key, value []byte) {
	k := kmsg.GroupMetadataKey{Version: metadataKeyVersion, Group: r.Group}
	key = k.AppendTo(nil)
	if r.Metadata == nil {
		return key, nil
	}
	return key, r.Metadata.encode()
}

// size is about how many bytes the record takes.
func (r *MetadataRecord) size() int {
	n := len(r.Group)
	for i := range r.Metadata.Members {
		m := &r.Metadata.Members[i]
		n += recordOverhead + len(m.ID) + len(m.Instance) + len(m.Client.ID) + len(m.Client.Host) + len(m.Subscription) + len(m.Assignment)
	}
	return n
}

// recordOverhead is what a record, or a member in one, takes beside its
// strings and bytes.
const recordOverhead = 80

func (m *Metadata) encode() []byte {
	v := kmsg.GroupMetadataValue{
		Version:               metadataValueVersion,
		ProtocolType:          m.ProtocolType,
		Generation:            m.Generation,
		Protocol:              optional(m.Protocol),
		Leader:                optional(m.Leader),
		CurrentStateTimestamp: m.Since.UnixMilli(),
	}
	for i := range m.Members {
		v.Members = append(v.Members, m.Members[i].encode())
	}
	return v.AppendTo(nil)
}

func (m *RecordedMember) encode() kmsg.GroupMetadataValueMember {
	return kmsg.GroupMetadataValueMember{
		MemberID:               m.ID,
		InstanceID:             optional(m.Instance),
		ClientID:               m.Client.ID,
		ClientHost:             m.Client.Host,
		RebalanceTimeoutMillis: int32(m.RebalanceTimeout / time.Millisecond),
		SessionTimeoutMillis:   int32(m.SessionTimeout / time.Millisecond),
		Subscription:           m.Subscription,
		Assignment:             m.Assignment,
	}
}

// Decode reads a record of __consumer_offsets. It keeps nothing of its input.
// A key that is not known gives ErrUnknownRecord.
func Decode(key, value []byte) (Record, error) {
	if len(key) < 2 {
		return nil, fmt.Errorf("key of %d bytes: %w", len(key), ErrUnknownRecord)
	}
	switch version := int16(key[0])<<8 | int16(key[1]); version {
	case 0, offsetKeyVersion:
		return decodeOffset(key, value)
	case metadataKeyVersion:
		return decodeMetadata(key, value)
	case epochKeyVersion, legacyKeyVersion, memberKeyVersion, targetEpochKeyVersion, targetKeyVersion, currentKeyVersion, patternKeyVersion:
		return decodeConsumer(version, key, value)
	default:
		return nil, fmt.Errorf("key version %d: %w", version, ErrUnknownRecord)
	}
}

func decodeOffset(key, value []byte) (Record, error) {
	var k kmsg.OffsetCommitKey
	if err := k.ReadFrom(key); err != nil {
		return nil, fmt.Errorf("key of a committed offset: %w", err)
	}
	rec := &OffsetRecord{Group: k.Group, Topic: k.Topic, Partition: k.Partition}
	if value == nil {
		return rec, nil
	}
	var v kmsg.OffsetCommitValue
	if err := readValue(value, offsetShape, v.ReadFrom); err != nil {
		return nil, fmt.Errorf("committed offset of %s %s-%d: %w", k.Group, k.Topic, k.Partition, err)
	}
	rec.Offset = &Offset{At: v.Offset, LeaderEpoch: -1, Metadata: v.Metadata, Committed: time.UnixMilli(v.CommitTimestamp)}
	if v.Version >= 3 {
		rec.Offset.LeaderEpoch = v.LeaderEpoch
	}
	if v.Version == offsetExpiryValueVersion && v.ExpireTimestamp >= 0 {
		rec.Offset.Expires = time.UnixMilli(v.ExpireTimestamp)
	}
	return rec, nil
}

// readValue decodes a value by kmsg, once its lengths and counts have been
// held against the bytes that are there.
func readValue(value []byte, shape string, read func([]byte) error) error {
	if len(value) >= 2 {
		version := int16(value[0])<<8 | int16(value[1])
		if version >= firstFlexibleValue {
			if err := wire.CheckValue(shape, version, value[2:]); err != nil {
				return err
			}
		}
	}
	return read(value)
}

func decodeMetadata(key, value []byte) (Record, error) {
	var k kmsg.GroupMetadataKey
	if err := k.ReadFrom(key); err != nil {
		return nil, fmt.Errorf("key of a group: %w", err)
	}
	rec := &MetadataRecord{Group: k.Group}
	if value == nil {
		return rec, nil
	}
	var v kmsg.GroupMetadataValue
	if err := readValue(value, metadataShape, v.ReadFrom); err != nil {
		return nil, fmt.Errorf("metadata of group %s: %w", k.Group, err)
	}
	rec.Metadata = &Metadata{
		ProtocolType: v.ProtocolType,
		Generation:   v.Generation,
		Protocol:     deref(v.Protocol),
		Leader:       deref(v.Leader),
		Since:        time.UnixMilli(v.CurrentStateTimestamp),
	}
	for i := range v.Members {
		rec.Metadata.Members = append(rec.Metadata.Members, decodeMember(&v.Members[i]))
	}
	return rec, nil
}

func decodeMember(m *kmsg.GroupMetadataValueMember) RecordedMember {
	session := time.Duration(m.SessionTimeoutMillis) * time.Millisecond
	rebalance := time.Duration(m.RebalanceTimeoutMillis) * time.Millisecond
	if m.RebalanceTimeoutMillis < 0 { // records before v1 have none
		rebalance = session
	}
	return RecordedMember{
		ID: m.MemberID, Instance: deref(m.InstanceID),
		Client:         Client{ID: m.ClientID, Host: m.ClientHost},
		SessionTimeout: session, RebalanceTimeout: rebalance,
		Subscription: bytes.Clone(m.Subscription), Assignment: bytes.Clone(m.Assignment),
	}
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
