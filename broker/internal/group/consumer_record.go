package group

import "github.com/millrace-io/millrace/broker/internal/group/assignor"

// The keys of the consumer protocol's records, by Kafka's schemas of them.
// Values have version 0.
const (
	epochKeyVersion       = 3
	legacyKeyVersion      = 4
	memberKeyVersion      = 5
	targetEpochKeyVersion = 6
	targetKeyVersion      = 7
	currentKeyVersion     = 8
	patternKeyVersion     = 16

	consumerValueVersion = 0
)

// A consumerRecord is a record of the consumer protocol. Each holds one thing,
// so that a heartbeat of one member of thousands records only what it changed.
type consumerRecord interface {
	Record
	// tombstone reports whether the record deletes what its key names.
	tombstone() bool
}

// EpochRecord sets the group's epoch, or deletes the group.
type EpochRecord struct {
	Group string
	Epoch *Epoch // nil deletes
}

// Epoch is the group's epoch with the hash of the topics it came by.
type Epoch struct {
	At   int32
	Hash uint64
}

// LegacyRecord stands for the partition metadata that Kafka 4.0 kept in the
// log. It is read, to be deleted, and never written.
type LegacyRecord struct {
	Group   string
	Deleted bool
}

// MemberRecord sets or deletes what a member has said of itself.
type MemberRecord struct {
	Group  string
	Member string
	Info   *MemberInfo // nil deletes
}

// noEpoch in a TargetEpochRecord deletes.
const noEpoch int32 = -1

// TargetEpochRecord sets or deletes the epoch of the target assignment.
type TargetEpochRecord struct {
	Group string
	Epoch int32 // noEpoch deletes
}

// TargetRecord sets or deletes a member's target.
type TargetRecord struct {
	Group  string
	Member string
	Target assignor.Assignment // nil deletes
}

// CurrentRecord sets or deletes where a member stands.
type CurrentRecord struct {
	Group   string
	Member  string
	Current *Current // nil deletes
}

// PatternRecord sets or deletes what a pattern matches.
type PatternRecord struct {
	Group   string
	Pattern string
	Match   *Match // nil deletes
}

// GroupID implements Record.
func (r *EpochRecord) GroupID() string { return r.Group }

// GroupID implements Record.
func (r *LegacyRecord) GroupID() string { return r.Group }

// GroupID implements Record.
func (r *MemberRecord) GroupID() string { return r.Group }

// GroupID implements Record.
func (r *TargetEpochRecord) GroupID() string { return r.Group }

// GroupID implements Record.
func (r *TargetRecord) GroupID() string { return r.Group }

// GroupID implements Record.
func (r *CurrentRecord) GroupID() string { return r.Group }

// GroupID implements Record.
func (r *PatternRecord) GroupID() string { return r.Group }

func (r *EpochRecord) tombstone() bool       { return r.Epoch == nil }
func (r *LegacyRecord) tombstone() bool      { return r.Deleted }
func (r *MemberRecord) tombstone() bool      { return r.Info == nil }
func (r *TargetEpochRecord) tombstone() bool { return r.Epoch == noEpoch }
func (r *TargetRecord) tombstone() bool      { return r.Target == nil }
func (r *CurrentRecord) tombstone() bool     { return r.Current == nil }
func (r *PatternRecord) tombstone() bool     { return r.Match == nil }
