package registry

import (
	"maps"
	"slices"
	"strings"

	"github.com/millrace-io/millrace/schema/compat"
)

// show says which versions a reader sees.
type show uint8

const (
	showLive show = iota
	showAll
	showDeleted
)

func (s show) sees(v *Version) bool {
	return s == showAll || v.Deleted == (s == showDeleted)
}

// Subjects lists subjects that have a visible version, sorted.
func (s *State) listSubjects(prefix string, see show) []string {
	names := []string{}
	for name, sub := range s.subjects {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		visible := slices.ContainsFunc(sub.versions, see.sees)
		if see == showDeleted { // only those with nothing left alive
			visible = visible && !slices.ContainsFunc(sub.versions, showLive.sees)
		}
		if visible {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// versions lists the visible versions of a subject, ascending.
func (s *State) versions(name string, see show) []*Version {
	sub := s.subjects[name]
	if sub == nil {
		return nil
	}
	var visible []*Version
	for _, v := range sub.versions {
		if see.sees(v) {
			visible = append(visible, v)
		}
	}
	return visible
}

// version finds one version; number 0 is the latest live one.
func (s *State) version(name string, number int, see show) *Version {
	all := s.versions(name, see)
	if number == 0 {
		all = s.versions(name, showLive)
		if see == showAll && len(all) == 0 {
			all = s.versions(name, showAll)
		}
		if len(all) == 0 {
			return nil
		}
		return all[len(all)-1]
	}
	for _, v := range all {
		if v.Number == number {
			return v
		}
	}
	return nil
}

// find looks for a content among the visible versions of a subject, the
// newest first.
func (s *State) find(name string, sum [16]byte, see show) *Version {
	all := s.versions(name, see)
	for _, v := range slices.Backward(all) {
		if v.sum == sum {
			return v
		}
	}
	return nil
}

// uses lists the versions that have an id, by subject and number.
func (s *State) uses(id int, see show) []*Version {
	bound := s.ids[id]
	if bound == nil {
		return nil
	}
	visible := slices.DeleteFunc(slices.Clone(bound.uses), func(v *Version) bool { return !see.sees(v) })
	slices.SortFunc(visible, func(a, b *Version) int {
		if c := strings.Compare(a.Subject, b.Subject); c != 0 {
			return c
		}
		return a.Number - b.Number
	})
	return visible
}

// referencedBy lists the ids of live versions that refer to a version,
// ascending.
func (s *State) referencedBy(name string, number int) []int {
	ids := make(map[int]bool)
	for _, sub := range s.subjects {
		for _, v := range sub.versions {
			refers := func(r Reference) bool { return r.Subject == name && r.Version == number }
			if !v.Deleted && slices.ContainsFunc(v.References, refers) {
				ids[v.ID] = true
			}
		}
	}
	return slices.AppendSeq([]int{}, slices.Values(slices.Sorted(maps.Keys(ids))))
}

// level is the compatibility level that holds for a subject.
func (s *State) level(name string) compat.Level {
	for _, scope := range []string{name, ""} {
		if c, ok := s.configs[scope]; ok && c.Compatibility != "" {
			if level, err := compat.ParseLevel(c.Compatibility); err == nil {
				return level
			}
		}
	}
	return s.defaultLevel
}

// normalizes reports whether a subject's schemas are normalized by default.
func (s *State) normalizes(name string) bool {
	for _, scope := range []string{name, ""} {
		if c, ok := s.configs[scope]; ok && c.Normalize != nil {
			return *c.Normalize
		}
	}
	return false
}

// The modes that this version knows.
const (
	modeReadWrite        = "READWRITE"
	modeReadOnly         = "READONLY"
	modeReadOnlyOverride = "READONLY_OVERRIDE"
)

// mode is the mode that holds for a subject. READONLY_OVERRIDE, set globally,
// stands above what the subject says.
func (s *State) mode(name string) string {
	if s.modes[""] == modeReadOnlyOverride {
		return modeReadOnlyOverride
	}
	for _, scope := range []string{name, ""} {
		if mode, ok := s.modes[scope]; ok {
			return mode
		}
	}
	return modeReadWrite
}

func (s *State) writable(name string) error {
	switch mode := s.mode(name); mode {
	case modeReadWrite:
		return nil
	case modeReadOnly, modeReadOnlyOverride:
		return errNotPermitted("Subject %s is in read-only mode", name)
	default:
		return errNotPermitted("Subject %s is in mode %s, which takes no new schemas here", name, mode)
	}
}
