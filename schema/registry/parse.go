package registry

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/millrace-io/millrace/schema/compat"
	"github.com/millrace-io/millrace/schema/internal/avrotext"
	"github.com/millrace-io/millrace/schema/internal/strictjson"
)

const (
	maxReferenceDepth = 32
	maxReferences     = 1024
)

// candidate is a schema that a request brings, checked and in canonical form.
type candidate struct {
	*content
	parsed *compat.Schema
}

// schemaRequest is the body of a register, a lookup or a compatibility check.
type schemaRequest struct {
	Schema     *string     `json:"schema"`
	Type       string      `json:"schemaType"`
	References []Reference `json:"references"`
	ID         int         `json:"id"`
	Version    int         `json:"version"`
	Metadata   *struct{}   `json:"metadata"`
	RuleSet    *struct{}   `json:"ruleSet"`
}

// prepare checks a request's schema and brings it into canonical form. The
// caller holds the state still.
func (s *State) prepare(req *schemaRequest, normalize bool) (*candidate, error) {
	switch strings.ToUpper(req.Type) {
	case "", typeAvro:
	case "JSON", "PROTOBUF":
		return nil, errInvalidSchema("Schemas of type %s are not supported yet: this registry takes AVRO", req.Type)
	default:
		return nil, errInvalidSchema("Invalid schema type %q: need AVRO", req.Type)
	}
	if req.Metadata != nil || req.RuleSet != nil {
		return nil, errRulesUnsupported()
	}
	if req.Schema == nil || strings.TrimSpace(*req.Schema) == "" {
		return nil, errInvalidSchema(`Empty schema: the body needs a "schema" with the text of an Avro schema`)
	}
	references, err := s.pinReferences(req.References)
	if err != nil {
		return nil, err
	}
	texts, err := s.referencedTexts(references)
	if err != nil {
		return nil, err
	}
	parsed, err := compat.ParseAvro(*req.Schema, texts...)
	if err != nil {
		return nil, errInvalidSchema("Invalid schema: %s", describe(err))
	}
	c := &content{Text: parsed.String(), Type: typeAvro, References: references}
	if normalize {
		if c.Text, err = normalized(c.Text, texts); err != nil {
			return nil, errInvalidSchema("Invalid schema: %s", describe(err))
		}
	}
	c.sum = sumOf(c)
	return &candidate{content: c, parsed: parsed}, nil
}

// describe says where and what, as line and column of the schema's text where
// they are known.
func describe(err error) string {
	var placed *strictjson.Error
	if errors.As(err, &placed) {
		return placed.Error()
	}
	return err.Error()
}

func normalized(text string, references []string) (string, error) {
	var known []string
	for _, source := range references {
		c, err := avrotext.Of(source, avrotext.Options{Known: known})
		if err != nil {
			return "", err
		}
		known = append(known, c.Names...)
	}
	c, err := avrotext.Of(text, avrotext.Options{Known: known, Normalize: true})
	return c.Text, err
}

// pinReferences gives references to the latest version (-1) its number, so
// that what is registered never changes its meaning.
func (s *State) pinReferences(references []Reference) ([]Reference, error) {
	if len(references) == 0 {
		return nil, nil
	}
	pinned := make([]Reference, len(references))
	for i, r := range references {
		number := r.Version
		if number == -1 {
			number = 0
		}
		v := s.version(r.Subject, number, showLive)
		if v == nil || r.Version == 0 || r.Version < -1 {
			return nil, errInvalidSchema("No schema reference found for subject \"%s\" and version %d", r.Subject, r.Version)
		}
		pinned[i] = Reference{Name: r.Name, Subject: r.Subject, Version: v.Number}
	}
	return pinned, nil
}

// referencedTexts collects the texts that a schema needs, each after those it
// needs itself.
func (s *State) referencedTexts(references []Reference) ([]string, error) {
	w := referenceWalk{state: s, done: make(map[place]bool)}
	if err := w.walk(references, nil); err != nil {
		return nil, err
	}
	return w.texts, nil
}

type referenceWalk struct {
	state *State
	done  map[place]bool
	texts []string
}

func (w *referenceWalk) walk(references []Reference, path []place) error {
	for _, r := range references {
		at := place{keySchema, r.Subject, r.Version}
		if i := indexOf(path, at); i >= 0 {
			return errInvalidSchema("References form a circle: %s", circle(path[i:], at))
		}
		if w.done[at] {
			continue
		}
		if len(path) == maxReferenceDepth || len(w.done) == maxReferences {
			return errInvalidSchema("More than %d levels or %d schemas of references", maxReferenceDepth, maxReferences)
		}
		v := w.state.version(r.Subject, r.Version, showAll)
		if v == nil {
			return errInvalidSchema("No schema reference found for subject \"%s\" and version %d", r.Subject, r.Version)
		}
		if err := w.walk(v.References, append(path, at)); err != nil {
			return err
		}
		w.done[at] = true
		w.texts = append(w.texts, v.Text)
	}
	return nil
}

func indexOf(path []place, at place) int {
	for i, p := range path {
		if p == at {
			return i
		}
	}
	return -1
}

func circle(path []place, back place) string {
	var names []string
	for _, p := range append(path[:len(path):len(path)], back) {
		names = append(names, fmt.Sprintf("%s version %d", p.subject, p.version))
	}
	return strings.Join(names, " -> ")
}

// maxParsed bounds the parsed schemas that are kept: parsing takes a tenth of
// a millisecond, and a transitive check needs all versions of a subject.
const maxParsed = 4096

// parsedSchemas keeps stored schemas parsed, by content.
type parsedSchemas struct {
	mu        sync.Mutex
	byContent map[*content]*compat.Schema
}

func (p *parsedSchemas) parse(s *State, c *content) (*compat.Schema, error) {
	p.mu.Lock()
	have, ok := p.byContent[c]
	p.mu.Unlock()
	if ok {
		return have, nil
	}
	texts, err := s.referencedTexts(c.References)
	if err != nil {
		return nil, err
	}
	parsed, err := compat.ParseAvro(c.Text, texts...)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byContent == nil || len(p.byContent) >= maxParsed {
		p.byContent = make(map[*content]*compat.Schema)
	}
	p.byContent[c] = parsed
	return parsed, nil
}
