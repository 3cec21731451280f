package registry

import (
	"slices"

	"github.com/millrace-io/millrace/schema/compat"
)

// A plan is what a write comes to: the records that make it so, none if it is
// so already. Planning changes nothing; the caller holds the state still until
// the records are applied.

// planRegister plans a new version of a subject.
func (s *State) planRegister(parsed *parsedSchemas, name string, next *candidate) ([]Record, *Version, error) {
	if have := s.find(name, next.sum, showLive); have != nil {
		return nil, have, nil
	}
	if err := s.writable(name); err != nil {
		return nil, nil, err
	}
	outcome, err := s.check(parsed, next, s.level(name), s.versions(name, showLive))
	if err != nil {
		return nil, nil, err
	}
	if !outcome.compatible {
		return nil, nil, errIncompatible(name, join(outcome.messages))
	}
	v := &Version{content: next.content, Subject: name, Number: 1, ID: s.lastID + 1}
	if all := s.versions(name, showAll); len(all) > 0 {
		v.Number = all[len(all)-1].Number + 1
	}
	if id, ok := s.bySum[next.sum]; ok {
		v.ID, v.content = id, s.ids[id].content
	}
	// Soft-deleted versions of the same schema give way to the new one.
	var records []Record
	for _, old := range s.versions(name, showDeleted) {
		if old.ID == v.ID && len(s.referencedBy(name, old.Number)) == 0 {
			records = append(records, s.tombstones(place{keySchema, name, old.Number})...)
		}
	}
	return append(records, schemaRecord(v)), v, nil
}

// tombstones deletes a record under every spelling of its key that was seen:
// compaction goes by bytes, and other registries order properties otherwise.
func (s *State) tombstones(p place) []Record {
	var records []Record
	for key := range s.keys[p] {
		records = append(records, Record{Key: []byte(key)})
	}
	slices.SortFunc(records, func(a, b Record) int { return slices.Compare(a.Key, b.Key) })
	return records
}

// planDeleteSubject plans the delete of all versions of a subject and returns
// their numbers.
func (s *State) planDeleteSubject(name string, permanent bool) ([]Record, []int, error) {
	if err := s.writable(name); err != nil {
		return nil, nil, err
	}
	live, all := s.versions(name, showLive), s.versions(name, showAll)
	switch {
	case len(all) == 0:
		return nil, nil, errSubjectNotFound(name)
	case permanent && len(live) > 0:
		return nil, nil, errSubjectNotSoftDeleted(name)
	case !permanent && len(live) == 0:
		return nil, nil, errSubjectSoftDeleted(name)
	}
	doomed := live
	if permanent {
		doomed = all
	}
	for _, v := range doomed {
		if len(s.referencedBy(name, v.Number)) > 0 {
			return nil, nil, errReferenced(name, v.Number)
		}
	}
	records := s.dropSettings(name)
	if !permanent {
		return append([]Record{deleteRecord(name, live[len(live)-1].Number)}, records...), numbers(live), nil
	}
	for _, v := range all {
		records = append(records, s.tombstones(place{keySchema, name, v.Number})...)
	}
	return append(records, s.dropDeletes(name)...), numbers(all), nil
}

// planDeleteVersion plans the delete of one version; number 0 is the latest.
func (s *State) planDeleteVersion(name string, number int, permanent bool) ([]Record, int, error) {
	if err := s.writable(name); err != nil {
		return nil, 0, err
	}
	all := s.versions(name, showAll)
	if len(all) == 0 || !permanent && len(s.versions(name, showLive)) == 0 {
		return nil, 0, errSubjectNotFound(name)
	}
	v := s.version(name, number, showAll)
	switch {
	case v == nil:
		return nil, 0, errVersionNotFound(number)
	case permanent && !v.Deleted:
		return nil, 0, errVersionNotSoftDeleted(name, v.Number)
	case !permanent && v.Deleted:
		return nil, 0, errVersionSoftDeleted(name, v.Number)
	case len(s.referencedBy(name, v.Number)) > 0:
		return nil, 0, errReferenced(name, v.Number)
	}
	if permanent {
		records := s.tombstones(place{keySchema, name, v.Number})
		if len(all) == 1 {
			records = append(records, s.dropDeletes(name)...)
		}
		return records, v.Number, nil
	}
	gone := *v
	gone.Deleted = true
	records := s.otherKeys(v)
	records = append(records, schemaRecord(&gone))
	if len(s.versions(name, showLive)) == 1 {
		records = append(records, s.dropSettings(name)...)
	}
	return records, v.Number, nil
}

// otherKeys deletes records of a version whose keys are spelled otherwise than
// ours: left alone, they would bring the version back after compaction.
func (s *State) otherKeys(v *Version) []Record {
	ours := string(schemaKey(v.Subject, v.Number))
	return slices.DeleteFunc(s.tombstones(place{keySchema, v.Subject, v.Number}), func(r Record) bool {
		return string(r.Key) == ours
	})
}

// dropSettings deletes a subject's configuration and mode with its last live
// version.
func (s *State) dropSettings(name string) []Record {
	return append(s.tombstones(place{keyConfig, name, 0}), s.tombstones(place{keyMode, name, 0})...)
}

// dropDeletes removes what a subject's soft delete left behind, once its last
// version is tombstoned: else the topic grows with every subject that ever was.
func (s *State) dropDeletes(name string) []Record {
	return append(s.tombstones(place{keyDeleteSubject, name, 0}), s.tombstones(place{keyClearSubject, name, 0})...)
}

// planConfig plans a change of the configuration; absent members stay.
func (s *State) planConfig(name string, change Settings) ([]Record, error) {
	next := s.configs[name]
	if change.Compatibility != "" {
		level, err := compat.ParseLevel(change.Compatibility)
		if err != nil {
			return nil, errInvalidLevel()
		}
		next.Compatibility = string(level)
	}
	if change.Normalize != nil {
		next.Normalize = change.Normalize
	}
	return []Record{configRecord(name, next)}, nil
}

func numbers(versions []*Version) []int {
	n := make([]int, len(versions))
	for i, v := range versions {
		n[i] = v.Number
	}
	return n
}
