package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/millrace-io/millrace/schema/compat"
	"github.com/millrace-io/millrace/schema/internal/avrotext"
)

const typeAvro = "AVRO"

// State is what the records of the topic say: a pure state machine, changed by
// Apply alone. Its caller keeps readers and Apply apart.
type State struct {
	subjects map[string]*subject
	ids      map[int]*binding
	bySum    map[[16]byte]int // id by content
	lastID   int
	configs  map[string]Settings // "" is the global one
	modes    map[string]string   // "" is the global one
	keys     map[place]map[string]bool
	// defaultLevel holds where no record sets one.
	defaultLevel compat.Level
	// Conflicts counts records that gave an id to a second schema, Skipped
	// those that could not be read.
	Conflicts, Skipped int
}

// subject holds its versions by ascending number, soft-deleted ones too.
type subject struct{ versions []*Version }

// place names a live record: what a key means, whatever its bytes.
type place struct {
	kind    string
	subject string
	version int
}

// content is what an id stands for.
type content struct {
	Text       string
	Type       string
	References []Reference
	metadata   json.RawMessage
	ruleSet    json.RawMessage
	sum        [16]byte
}

// binding ties an id to its content, as long as a version has it.
type binding struct {
	*content
	uses []*Version
}

// Version is one version of a subject. Apply replaces it and never changes it,
// so it may be read without a lock.
type Version struct {
	*content
	Subject string
	Number  int
	ID      int
	Deleted bool
	At      time.Time
}

// NewState returns the state of an empty topic.
func NewState() *State {
	return &State{
		subjects: make(map[string]*subject),
		ids:      make(map[int]*binding),
		bySum:    make(map[[16]byte]int),
		configs:  make(map[string]Settings),
		modes:    make(map[string]string),
		keys:     make(map[place]map[string]bool),

		defaultLevel: compat.Backward,
	}
}

// Apply takes in one record. An error says that it was skipped and why; the
// state is unchanged then, but for its counters.
func (s *State) Apply(record Record, at time.Time) error {
	err := s.apply(record, at)
	switch {
	case errors.Is(err, errConflict):
		s.Conflicts++
	case err != nil:
		s.Skipped++
	}
	return err
}

// errConflict: an id is bound to another schema already; the first wins.
var errConflict = errors.New("conflicting schema id")

func (s *State) apply(record Record, at time.Time) error {
	var key recordKey
	if err := json.Unmarshal(record.Key, &key); err != nil {
		return fmt.Errorf("key: %w", err)
	}
	switch key.Type {
	case keyNoop, keyContext:
		return nil
	}
	if key.Subject == nil {
		if key.Type != keyConfig && key.Type != keyMode {
			return fmt.Errorf("%s key without a subject", key.Type)
		}
		key.Subject = new(string)
	}
	at = at.UTC()
	var err error
	switch key.Type {
	case keySchema:
		err = s.applySchema(*key.Subject, key.Version, record.Value, at)
	case keyConfig:
		err = applyTo(s.configs, *key.Subject, record.Value)
	case keyMode:
		err = s.applyMode(*key.Subject, record.Value)
	case keyDeleteSubject:
		err = s.applyDelete(*key.Subject, record.Value)
	case keyClearSubject:
		s.clear(*key.Subject)
	default:
		return fmt.Errorf("unknown keytype %q", key.Type)
	}
	if err == nil {
		s.remember(place{key.Type, *key.Subject, key.Version}, record)
	}
	return err
}

// remember keeps the exact bytes of the keys that hold a value.
func (s *State) remember(p place, record Record) {
	if record.Value == nil {
		delete(s.keys[p], string(record.Key))
		if len(s.keys[p]) == 0 {
			delete(s.keys, p)
		}
		return
	}
	if s.keys[p] == nil {
		s.keys[p] = make(map[string]bool)
	}
	s.keys[p][string(record.Key)] = true
}

func (s *State) applySchema(name string, number int, value []byte, at time.Time) error {
	if number < 1 {
		return fmt.Errorf("subject %q: version %d", name, number)
	}
	if value == nil {
		s.remove(name, number)
		return nil
	}
	var v schemaValue
	if err := json.Unmarshal(value, &v); err != nil {
		return fmt.Errorf("subject %q version %d: %w", name, number, err)
	}
	if v.Schema == nil || v.ID < 1 {
		return fmt.Errorf("subject %q version %d: record without schema or id", name, number)
	}
	if v.Type == "" {
		v.Type = typeAvro
	}
	c := &content{Text: *v.Schema, Type: v.Type, References: v.References, metadata: v.Metadata, ruleSet: v.RuleSet}
	c.sum = sumOf(c)
	if bound, ok := s.ids[v.ID]; ok {
		if bound.sum != c.sum {
			return fmt.Errorf("subject %q version %d: %w %d", name, number, errConflict, v.ID)
		}
		c = bound.content // one copy of the text
	}
	s.remove(name, number)
	s.insert(&Version{content: c, Subject: name, Number: number, ID: v.ID, Deleted: v.Deleted, At: at})
	return nil
}

func sumOf(c *content) [16]byte {
	references := make([]avrotext.Reference, len(c.References))
	for i, r := range c.References {
		references[i] = avrotext.Reference{Name: r.Name, Subject: r.Subject, Version: r.Version}
	}
	text := c.Text
	for _, extra := range []json.RawMessage{c.metadata, c.ruleSet} {
		if len(extra) > 0 {
			text += "\x01" + string(extra)
		}
	}
	return avrotext.Sum(text, references)
}

func (s *State) insert(v *Version) {
	sub := s.subjects[v.Subject]
	if sub == nil {
		sub = &subject{}
		s.subjects[v.Subject] = sub
	}
	i, _ := slices.BinarySearchFunc(sub.versions, v.Number, func(have *Version, n int) int { return have.Number - n })
	sub.versions = slices.Insert(sub.versions, i, v)
	bound := s.ids[v.ID]
	if bound == nil {
		bound = &binding{content: v.content}
		s.ids[v.ID] = bound
		if _, taken := s.bySum[v.sum]; !taken {
			s.bySum[v.sum] = v.ID
		}
	}
	bound.uses = append(bound.uses, v)
	s.lastID = max(s.lastID, v.ID)
}

// remove forgets a version, and its id with the last use.
func (s *State) remove(name string, number int) {
	sub := s.subjects[name]
	if sub == nil {
		return
	}
	i := slices.IndexFunc(sub.versions, func(v *Version) bool { return v.Number == number })
	if i < 0 {
		return
	}
	v := sub.versions[i]
	sub.versions = slices.Delete(slices.Clone(sub.versions), i, i+1)
	if len(sub.versions) == 0 {
		delete(s.subjects, name)
	}
	bound := s.ids[v.ID]
	bound.uses = slices.DeleteFunc(slices.Clone(bound.uses), func(use *Version) bool { return use == v })
	if len(bound.uses) == 0 {
		delete(s.ids, v.ID)
		if s.bySum[v.sum] == v.ID {
			delete(s.bySum, v.sum)
		}
	}
}

func (s *State) applyDelete(name string, value []byte) error {
	if value == nil {
		return nil
	}
	var v deleteValue
	if err := json.Unmarshal(value, &v); err != nil {
		return fmt.Errorf("delete of subject %q: %w", name, err)
	}
	sub := s.subjects[name]
	if sub == nil {
		return nil
	}
	for _, have := range slices.Clone(sub.versions) {
		if have.Number <= v.Version && !have.Deleted {
			gone := *have
			gone.Deleted = true
			s.remove(name, have.Number)
			s.insert(&gone)
		}
	}
	return nil
}

func (s *State) clear(name string) {
	if sub := s.subjects[name]; sub != nil {
		for _, v := range slices.Clone(sub.versions) {
			s.remove(name, v.Number)
		}
	}
}

func (s *State) applyMode(name string, value []byte) error {
	modes := make(map[string]modeValue)
	if err := applyTo(modes, name, value); err != nil {
		return err
	}
	if v, ok := modes[name]; ok {
		s.modes[name] = v.Mode
	} else {
		delete(s.modes, name)
	}
	return nil
}

func applyTo[V any](into map[string]V, name string, value []byte) error {
	if value == nil {
		delete(into, name)
		return nil
	}
	var v V
	if err := json.Unmarshal(value, &v); err != nil {
		return fmt.Errorf("subject %q: %w", name, err)
	}
	into[name] = v
	return nil
}
