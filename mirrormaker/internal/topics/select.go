package topics

import (
	"fmt"
	"regexp"
	"strings"
)

// Never holds topics that no setting selects: they are the source cluster's
// own state and would be wrong at any other.
var never = map[string]bool{"__consumer_offsets": true, "__transaction_state": true, "__share_group_state": true, "__cluster_metadata": true}

// internal matches what is only mirrored when a flow asks for internal topics:
// state of clusters, of Connect and of other mirrors.
var internal = regexp.MustCompile(`^(__.*|.*[-.]internal|.*\.replica|_schemas|connect-(configs|offsets|status))$`)

// Selector says which topics a flow copies.
type Selector struct {
	include, exclude []*regexp.Regexp
	internal         bool
}

// NewSelector compiles the patterns of a flow. Patterns are RE2 and match
// whole names. With withInternal, internal topics are selected too where a
// pattern matches them.
func NewSelector(include, exclude []string, withInternal bool) (*Selector, error) {
	s := &Selector{internal: withInternal}
	var err error
	if s.include, err = compile(include); err != nil {
		return nil, err
	}
	s.exclude, err = compile(exclude)
	return s, err
}

func compile(patterns []string) ([]*regexp.Regexp, error) {
	compiled := make([]*regexp.Regexp, 0, len(patterns))
	for _, pattern := range patterns {
		re, err := regexp.Compile("^(?:" + pattern + ")$")
		if err != nil {
			return nil, fmt.Errorf("pattern %q is not a regular expression: %w%s", pattern, err, hint(pattern))
		}
		compiled = append(compiled, re)
	}
	return compiled, nil
}

func hint(pattern string) string {
	if strings.HasPrefix(pattern, "*") || strings.Contains(pattern, "|*") {
		return " (all topics is .* and not *)"
	}
	return ""
}

// Selects reports whether the flow copies the topic.
func (s *Selector) Selects(topic string) bool {
	if never[topic] || (!s.internal && internal.MatchString(topic)) {
		return false
	}
	return matches(s.include, topic) && !matches(s.exclude, topic)
}

func matches(patterns []*regexp.Regexp, topic string) bool {
	for _, re := range patterns {
		if re.MatchString(topic) {
			return true
		}
	}
	return false
}
