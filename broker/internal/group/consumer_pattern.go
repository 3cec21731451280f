package group

import (
	"errors"
	"iter"
	"regexp"
	"slices"
	"time"
)

// A Match is what a pattern was found to mean.
type Match struct {
	Topics []string  // in order
	At     time.Time // when
	// Version is the number of the topics that were looked through.
	Version uint64
}

// maxPatternBytes bounds a pattern. Matching takes time in proportion to
// pattern times names, also for the worst pattern.
const maxPatternBytes = 8 << 10

var errLongPattern = errors.New("the pattern has more than 8192 bytes")

// CompilePattern reads a subscription's regular expression, in RE2's syntax.
// It matches whole names.
func CompilePattern(pattern string) (*regexp.Regexp, error) {
	if len(pattern) > maxPatternBytes {
		return nil, errLongPattern
	}
	if _, err := regexp.Compile(pattern); err != nil {
		return nil, err // of the pattern alone, lest "a)(b" close our parenthesis
	}
	return regexp.Compile(`\A(?:` + pattern + `)\z`)
}

// MatchTopics finds the topics that a pattern matches.
func MatchTopics(pattern *regexp.Regexp, names iter.Seq[string]) []string {
	var topics []string
	for name := range names {
		if pattern.MatchString(name) {
			topics = append(topics, name)
		}
	}
	return topics
}

// Matched tells the group what a pattern means. That is found out beforehand
// and without the group's lock, since it may take long. It is the answer to
// the patterns that ConsumerHeartbeat returned.
func (s *State) Matched(t *Turn, pattern string, match *Match) {
	s.match(t, pattern, match)
	t.Reply(int16(0))
}

// match takes over what a pattern means. The log hears of it only if that has
// changed.
func (s *State) match(t *Turn, pattern string, match *Match) {
	c := s.consumer
	if c == nil || c.users[pattern] == 0 || c.matched[pattern] > match.Version {
		return
	}
	if before := c.patterns[pattern]; before == nil || !slices.Equal(before.Topics, match.Topics) {
		stamped := *match
		stamped.At = stamp(t.Now)
		s.record(t, &PatternRecord{Group: s.id, Pattern: pattern, Match: &stamped})
		c.seen = 0 // what the members read is another set of topics
	}
	c.matched[pattern] = match.Version
}

// use counts the members of a pattern: a heartbeat must not look at them all.
func (c *consumerGroup) use(pattern string, by int) {
	switch {
	case pattern == "":
	case c.users[pattern]+by == 0:
		delete(c.users, pattern)
	default:
		c.users[pattern] += by
	}
}

// stale are the patterns that have not been held against these topics.
func (c *consumerGroup) stale(version uint64) []string {
	var list []string
	for p := range c.users {
		if v, ok := c.matched[p]; !ok || v < version {
			list = append(list, p)
		}
	}
	slices.Sort(list)
	return list
}

// dropPattern forgets a pattern that its last member gave up.
func (s *State) dropPattern(t *Turn, pattern string) {
	c := s.consumer
	if pattern != "" && c.patterns[pattern] != nil && c.users[pattern] == 0 {
		s.record(t, &PatternRecord{Group: s.id, Pattern: pattern})
	}
}
