package compat

import (
	"fmt"
	"slices"
	"strings"
)

// Level says which versions must be able to read which.
type Level string

// The levels, as registries spell them.
const (
	None               Level = "NONE"
	Backward           Level = "BACKWARD"
	BackwardTransitive Level = "BACKWARD_TRANSITIVE"
	Forward            Level = "FORWARD"
	ForwardTransitive  Level = "FORWARD_TRANSITIVE"
	Full               Level = "FULL"
	FullTransitive     Level = "FULL_TRANSITIVE"
)

// Levels lists all levels.
func Levels() []Level {
	return []Level{None, Backward, BackwardTransitive, Forward, ForwardTransitive, Full, FullTransitive}
}

// ParseLevel reads a level, in any case.
func ParseLevel(s string) (Level, error) {
	level := Level(strings.ToUpper(s))
	if !slices.Contains(Levels(), level) {
		return "", fmt.Errorf("compatibility level %q: need one of %v", s, Levels())
	}
	return level, nil
}

// Transitive reports whether all earlier versions count, not only the last.
func (l Level) Transitive() bool {
	return l == BackwardTransitive || l == ForwardTransitive || l == FullTransitive
}

func (l Level) backward() bool {
	return l == Backward || l == BackwardTransitive || l == Full || l == FullTransitive
}

func (l Level) forward() bool {
	return l == Forward || l == ForwardTransitive || l == Full || l == FullTransitive
}
