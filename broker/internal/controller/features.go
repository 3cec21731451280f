package controller

import (
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace-io/millrace/broker/internal/metadata"
)

// Feature is a row of the features that this version of the program knows
// (KIP-584). A feature stands here once what it stands for is there, because
// clients change their behaviour by it (KIP-890).
type Feature struct {
	Name string
	// Min and Max are the levels that can be finalized.
	Min, Max int16
	// Default is the level of a new cluster.
	Default int16
}

// MetadataVersion is the feature that names the release of Kafka whose
// behaviour the cluster has. Nothing here depends on its level.
const MetadataVersion = "metadata.version"

// GroupVersion is the feature that lets members use the consumer protocol of
// groups (KIP-848).
const GroupVersion = "group.version"

// Features are the features that are known, by name.
func Features() []Feature {
	return []Feature{
		// 1 is the consumer protocol of groups (KIP-848).
		{Name: GroupVersion, Min: 0, Max: 1, Default: 1},
		// 1 is a quorum whose members can change (KIP-853).
		{Name: "kraft.version", Min: 0, Max: 1, Default: 1},
		// 30 is 4.3, 7 is 3.3, below which there was no Raft in Kafka.
		{Name: MetadataVersion, Min: 7, Max: 30, Default: 30},
		// 2 is transactions in which partitions join by being written to and
		// every end bumps the epoch (KIP-890); below, clients announce them.
		{Name: "transaction.version", Min: 0, Max: 2, Default: 2},
	}
}

// UpgradeType says which direction a feature may go. The numbers are those of
// the wire.
type UpgradeType int8

// The directions. A safe downgrade loses nothing that the feature has written.
const (
	Upgrade         UpgradeType = 1
	SafeDowngrade   UpgradeType = 2
	UnsafeDowngrade UpgradeType = 3
)

// FeatureUpdate asks for a level of a feature; 0 takes it away.
type FeatureUpdate struct {
	Name  string
	Level int16
	Type  UpgradeType
}

// defaultFeatures are the records by which a new cluster has its features.
func defaultFeatures() []metadata.Record {
	var records []metadata.Record
	for _, f := range Features() {
		if f.Default > 0 {
			records = append(records, &metadata.Feature{Name: f.Name, Level: f.Default})
		}
	}
	return records
}

// UpdateFeatures finalizes levels of features: all of them, or none and an
// error.
func (s State) UpdateFeatures(updates []FeatureUpdate, validateOnly bool) ([]metadata.Record, *Error) {
	p := s.plan()
	if len(updates) == 0 {
		return nil, refuse(kerr.InvalidRequest, "no feature is named")
	}
	for u, again := range once(updates, func(u FeatureUpdate) string { return u.Name }) {
		if again {
			return nil, refuse(kerr.InvalidRequest, "feature %q occurs twice in the request", u.Name)
		}
		if err := p.updateFeature(u); err != nil {
			return nil, err
		}
	}
	if validateOnly {
		return nil, nil
	}
	return p.records, nil
}

func (p *plan) updateFeature(u FeatureUpdate) *Error {
	f, err := knownFeature(u.Name)
	if err != nil {
		return err
	}
	level := p.Image.Feature(u.Name)
	switch {
	case u.Type < Upgrade || u.Type > UnsafeDowngrade:
		return refuse(kerr.InvalidUpdateVersion, "feature %s: there is no upgrade type %d; upgrade is 1, safe downgrade 2, unsafe downgrade 3", u.Name, u.Type)
	case u.Level < f.Min || u.Level > f.Max:
		return refuse(kerr.InvalidUpdateVersion, "feature %s: level %d is not supported, levels %d to %d are", u.Name, u.Level, f.Min, f.Max)
	case u.Level == level:
		return nil
	case u.Level < level && u.Type == Upgrade:
		return refuse(kerr.InvalidUpdateVersion, "feature %s: level %d is below the present one, %d; a downgrade must be asked for as such", u.Name, u.Level, level)
	case u.Level > level && u.Type != Upgrade:
		return refuse(kerr.InvalidUpdateVersion, "feature %s: level %d is above the present one, %d, and a downgrade was asked for", u.Name, u.Level, level)
	}
	return p.add(&metadata.Feature{Name: u.Name, Level: u.Level})
}

func knownFeature(name string) (Feature, *Error) {
	var names []string
	for _, f := range Features() {
		if f.Name == name {
			return f, nil
		}
		names = append(names, f.Name)
	}
	return Feature{}, refuse(kerr.InvalidUpdateVersion, "there is no feature %q here; there are %v", name, names)
}
