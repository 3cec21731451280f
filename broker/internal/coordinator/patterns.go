package coordinator

import (
	"sync"

	"github.com/millrace-io/millrace/broker/internal/group"
)

// patterns finds out what patterns match, and remembers it for as long as the
// topics are the same: members of a group name the same one, in every full
// heartbeat.
type patterns struct {
	topics func() (group.Topics, uint64) // nil for none

	mu      sync.Mutex
	version uint64
	matches map[string]*group.Match
}

// maxPatterns bounds how many are remembered.
const maxPatterns = 256

// match finds out what a pattern matches among the topics as they are.
func (p *patterns) match(pattern string) (*group.Match, error) {
	var topics group.Topics
	var version uint64
	if p.topics != nil {
		topics, version = p.topics()
	}
	if m := p.find(pattern, version); m != nil {
		return m, nil
	}
	compiled, err := group.CompilePattern(pattern)
	if err != nil {
		return nil, err
	}
	m := &group.Match{Version: version}
	if topics != nil {
		m.Topics = group.MatchTopics(compiled, topics.Names())
	}
	p.keep(pattern, m)
	return m, nil
}

func (p *patterns) find(pattern string, version uint64) *group.Match {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.version != version {
		return nil
	}
	return p.matches[pattern]
}

func (p *patterns) keep(pattern string, m *group.Match) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case m.Version < p.version:
		return
	case m.Version > p.version || p.matches == nil || len(p.matches) >= maxPatterns:
		p.matches = map[string]*group.Match{}
	}
	p.version = m.Version
	p.matches[pattern] = m
}
