package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/millrace-io/millrace/schema/compat"
)

func version(subject string, number, id int, text string, deleted bool) Record {
	c := &content{Text: text, Type: typeAvro}
	c.sum = sumOf(c)
	return schemaRecord(&Version{content: c, Subject: subject, Number: number, ID: id, Deleted: deleted})
}

// TestRecordBytes: the exact bytes of every kind of record.
func TestRecordBytes(t *testing.T) {
	on := true
	withReference := &content{Text: `"R"`, Type: "PROTOBUF", References: []Reference{{"n", "s\"x", 2}}, metadata: json.RawMessage(`{"tags":{}}`)}
	withReference.sum = sumOf(withReference)
	for _, c := range []struct {
		record     Record
		key, value string
	}{
		{version("s", 1, 3, `"string"`, false), `{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}`,
			`{"subject":"s","version":1,"id":3,"md5":"CV1xzxJVa51eMwrVdbPfXQ==","schema":"\"string\"","deleted":false}`},
		{schemaRecord(&Version{content: withReference, Subject: "p", Number: 2, ID: 9, Deleted: true}), `{"keytype":"SCHEMA","subject":"p","version":2,"magic":1}`,
			`{"subject":"p","version":2,"id":9,"md5":"` + base64MD5(withReference) + `","schema":"\"R\"","schemaType":"PROTOBUF","references":[{"name":"n","subject":"s\"x","version":2}],"metadata":{"tags":{}},"deleted":true}`},
		{deleteRecord("s", 4), `{"keytype":"DELETE_SUBJECT","subject":"s","magic":0}`, `{"subject":"s","version":4}`},
		{configRecord("", Settings{Compatibility: "FULL"}), `{"keytype":"CONFIG","subject":null,"magic":0}`, `{"compatibilityLevel":"FULL"}`},
		{configRecord("s", Settings{Normalize: &on}), `{"keytype":"CONFIG","subject":"s","magic":0}`, `{"normalize":true}`},
		{modeRecord("s", "READONLY"), `{"keytype":"MODE","subject":"s","magic":0}`, `{"mode":"READONLY"}`},
	} {
		if string(c.record.Key) != c.key || string(c.record.Value) != c.value {
			t.Errorf("got  %s -> %s\nwant %s -> %s", c.record.Key, c.record.Value, c.key, c.value)
		}
		if err := NewState().Apply(c.record, time.Time{}); err != nil {
			t.Errorf("%s: %v", c.key, err)
		}
	}
}

func base64MD5(c *content) string {
	b, err := json.Marshal(c.sum[:])
	if err != nil {
		return err.Error()
	}
	return string(b[1 : len(b)-1])
}

// TestFirstBindingWins: the defence against two leaders that gave one id away
// twice.
func TestFirstBindingWins(t *testing.T) {
	s := NewState()
	for _, r := range []Record{version("a", 1, 1, `"string"`, false), version("b", 1, 1, `"int"`, false), version("c", 1, 1, `"string"`, false)} {
		if err := s.Apply(r, time.Time{}); err != nil && !errors.Is(err, errConflict) {
			t.Fatal(err)
		}
	}
	if s.Conflicts != 1 || s.Skipped != 0 || s.ids[1].Text != `"string"` || len(s.ids[1].uses) != 2 {
		t.Errorf("%d conflicts, id 1 is %s in %d places", s.Conflicts, s.ids[1].Text, len(s.ids[1].uses))
	}
}

// TestR3: references in a circle, which hard deletes and registers in another
// order can bring about, are named.
func TestR3(t *testing.T) {
	s := NewState()
	for i, r := range []Reference{{"B", "b", 1}, {"A", "a", 1}} {
		c := &content{Text: fmt.Sprint(i), Type: typeAvro, References: []Reference{r}}
		c.sum = sumOf(c)
		v := &Version{content: c, Subject: string(rune('a' + i)), Number: 1, ID: i + 1}
		if err := s.Apply(schemaRecord(v), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	text := `"int"`
	_, err := s.prepare(&schemaRequest{Schema: &text, References: []Reference{{"A", "a", 1}}}, false)
	var answered *apiError
	if !errors.As(err, &answered) || answered.Code != 42201 || answered.Message != "References form a circle: a version 1 -> b version 1 -> a version 1" {
		t.Errorf("%v", err)
	}
}

// TestPlansKeepTheInvariants drives random writes and checks after each: ids
// are of one content, and a state that reads the compacted topic is the same.
func TestPlansKeepTheInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, topic := NewState(), []Record{}
		s.defaultLevel = compat.None
		parsed := &parsedSchemas{}
		name := rapid.SampledFrom([]string{"a", "b", "c/d"})
		text := rapid.SampledFrom([]string{`"int"`, `"long"`, `"string"`, `{"type":"fixed","name":"F","size":1}`})
		everBound := make(map[int]string)
		write := func(records []Record, err error) {
			var refused *apiError
			if err != nil && !errors.As(err, &refused) {
				t.Fatal(err)
			}
			for _, r := range records {
				topic = append(topic, r)
				if err := s.Apply(r, time.Time{}); err != nil {
					t.Fatal(err)
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"register": func(t *rapid.T) {
				schema := text.Draw(t, "text")
				next, err := s.prepare(&schemaRequest{Schema: &schema}, false)
				if err != nil {
					t.Fatal(err)
				}
				records, v, err := s.planRegister(parsed, name.Draw(t, "subject"), next)
				write(records, err)
				if err == nil && everBound[v.ID] != "" && s.ids[v.ID].Text != schema {
					t.Fatalf("id %d is %s, registered %s", v.ID, s.ids[v.ID].Text, schema)
				}
				if err == nil {
					everBound[v.ID] = schema
				}
			},
			"delete subject": func(t *rapid.T) {
				records, _, err := s.planDeleteSubject(name.Draw(t, "subject"), rapid.Bool().Draw(t, "permanent"))
				write(records, err)
			},
			"delete version": func(t *rapid.T) {
				records, _, err := s.planDeleteVersion(name.Draw(t, "subject"), rapid.IntRange(0, 4).Draw(t, "version"), rapid.Bool().Draw(t, "permanent"))
				write(records, err)
			},
			"config": func(t *rapid.T) {
				write(s.planConfig(name.Draw(t, "subject"), Settings{Compatibility: "none"}))
			},
			"": func(t *rapid.T) {
				replayed := NewState()
				replayed.defaultLevel = s.defaultLevel
				for _, r := range compacted(topic) {
					if err := replayed.Apply(r, time.Time{}); err != nil {
						t.Fatal(err)
					}
				}
				if was, is := describeState(s), describeState(replayed); was != is {
					t.Fatalf("after compaction\n%s\nbecame\n%s", was, is)
				}
			},
		})
	})
}

// compacted keeps the last record of each key, at its place.
func compacted(topic []Record) []Record {
	last := make(map[string]int)
	for i, r := range topic {
		last[string(r.Key)] = i
	}
	var kept []Record
	for i, r := range topic {
		if last[string(r.Key)] == i && r.Value != nil {
			kept = append(kept, r)
		}
	}
	return kept
}

func describeState(s *State) string {
	text := ""
	for _, name := range s.listSubjects("", showAll) {
		for _, v := range s.versions(name, showAll) {
			text += fmt.Sprintf("%s/%d: %d %s deleted=%t\n", name, v.Number, v.ID, v.Text, v.Deleted)
		}
		text += fmt.Sprintf("%s: %s\n", name, s.level(name))
	}
	var ids []int
	for id := range s.ids {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return text + fmt.Sprint(ids)
}

// FuzzApply: no record of the topic makes the reader panic or stop.
func FuzzApply(f *testing.F) {
	seed := version("a", 1, 1, `"string"`, false)
	f.Add(seed.Key, seed.Value)
	f.Add(deleteRecord("a", 1).Key, deleteRecord("a", 1).Value)
	f.Add([]byte(`{"keytype":"CONFIG","subject":null}`), []byte(`{"compatibilityLevel":7}`))
	f.Add([]byte(`{"keytype":"MODE","subject":"a"}`), []byte(`null`))
	f.Add([]byte(`{"keytype":"CLEAR_SUBJECT","subject":"a"}`), []byte(`{}`))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		s := NewState()
		if err := s.Apply(seed, time.Time{}); err != nil {
			t.Fatal(err)
		}
		err := s.Apply(Record{Key: key, Value: value}, time.Time{})
		if (err != nil) != (s.Skipped+s.Conflicts == 1) {
			t.Fatalf("%v, but %d skipped, %d conflicts", err, s.Skipped, s.Conflicts)
		}
		for id, bound := range s.ids {
			if len(bound.uses) == 0 {
				t.Fatalf("id %d has no use", id)
			}
		}
		s.listSubjects("", showAll)
		s.level("a")
		s.mode("a")
	})
}

// BenchmarkApply replays 1000 subjects with 100 versions each.
func BenchmarkApply(b *testing.B) {
	var records []Record
	for i := range 1000 {
		for v := range 100 {
			text := fmt.Sprintf(`{"type":"record","name":"R%d","fields":[{"name":"f%d","type":"string","doc":"%0200d"}]}`, i, v, v)
			records = append(records, version(fmt.Sprintf("subject-%d", i), v+1, i*100+v+1, text, false))
		}
	}
	for b.Loop() {
		s := NewState()
		for _, r := range records {
			if err := s.Apply(r, time.Time{}); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(records)), "ns/record")
}

// BenchmarkTransitive checks one schema against a thousand versions.
func BenchmarkTransitive(b *testing.B) {
	s := NewState()
	s.defaultLevel = compat.FullTransitive
	for v := range 1000 {
		text := fmt.Sprintf(`{"type":"record","name":"R","fields":[{"name":"a","type":"long"},{"name":"f%d","type":"string","default":""}]}`, v)
		if err := s.Apply(version("s", v+1, v+1, text, false), time.Time{}); err != nil {
			b.Fatal(err)
		}
	}
	text := `{"type":"record","name":"R","fields":[{"name":"a","type":"long"}]}`
	for b.Loop() {
		next, err := s.prepare(&schemaRequest{Schema: &text}, false)
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := s.planRegister(&parsedSchemas{}, "s", next); err != nil {
			b.Fatal(err)
		}
	}
}
