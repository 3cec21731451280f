package registry

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/millrace-io/millrace/schema/internal/avrotext"
)

// Record is one record of the topic. A nil value is a tombstone.
type Record struct{ Key, Value []byte }

// The kinds of keys, and the order of their properties on the wire:
//
//	SCHEMA          {"keytype","subject","version","magic":1}
//	CONFIG, MODE    {"keytype","subject","magic":0}    subject null: the global one
//	DELETE_SUBJECT  {"keytype","subject","magic":0}
//	CLEAR_SUBJECT   {"keytype","subject","magic":0}
//	NOOP            {"keytype","magic":0}
const (
	keySchema        = "SCHEMA"
	keyConfig        = "CONFIG"
	keyMode          = "MODE"
	keyDeleteSubject = "DELETE_SUBJECT"
	keyClearSubject  = "CLEAR_SUBJECT"
	keyNoop          = "NOOP"
	keyContext       = "CONTEXT"
)

// recordKey is a key as read, with properties in any order.
type recordKey struct {
	Type    string  `json:"keytype"`
	Subject *string `json:"subject"`
	Version int     `json:"version"`
}

// schemaValue is the value of a SCHEMA record as read.
type schemaValue struct {
	Subject    string          `json:"subject"`
	Version    int             `json:"version"`
	ID         int             `json:"id"`
	Schema     *string         `json:"schema"`
	Type       string          `json:"schemaType"`
	References []Reference     `json:"references"`
	Metadata   json.RawMessage `json:"metadata"`
	RuleSet    json.RawMessage `json:"ruleSet"`
	Deleted    bool            `json:"deleted"`
}

// Reference names a schema that another one uses the types of.
type Reference struct {
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// deleteValue is the value of a DELETE_SUBJECT record: versions up to this one
// are softly deleted.
type deleteValue struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// Settings are what a CONFIG record holds.
type Settings struct {
	Compatibility string `json:"compatibilityLevel,omitempty"`
	Normalize     *bool  `json:"normalize,omitempty"`
}

type modeValue struct {
	Mode string `json:"mode"`
}

func schemaKey(subject string, version int) []byte {
	b := append([]byte(`{"keytype":"SCHEMA","subject":`), quoted(subject)...)
	b = append(b, `,"version":`...)
	b = strconv.AppendInt(b, int64(version), 10)
	return append(b, `,"magic":1}`...)
}

// subjectKey is the key of a record about a subject; an empty one is global.
func subjectKey(kind, subject string) []byte {
	b := append([]byte(`{"keytype":"`), kind...)
	b = append(b, `","subject":`...)
	if subject == "" {
		b = append(b, "null"...)
	} else {
		b = append(b, quoted(subject)...)
	}
	return append(b, `,"magic":0}`...)
}

// schemaRecord writes a version as Confluent does: type only if it is not
// AVRO, references, metadata and rules only if there are any.
func schemaRecord(v *Version) Record {
	b := append([]byte(`{"subject":`), quoted(v.Subject)...)
	b = append(b, `,"version":`...)
	b = strconv.AppendInt(b, int64(v.Number), 10)
	b = append(b, `,"id":`...)
	b = strconv.AppendInt(b, int64(v.ID), 10)
	b = append(b, `,"md5":"`...)
	b = base64.StdEncoding.AppendEncode(b, v.sum[:])
	b = append(b, `","schema":`...)
	b = avrotext.AppendString(b, v.Text)
	if v.Type != typeAvro {
		b = append(b, `,"schemaType":`...)
		b = append(b, quoted(v.Type)...)
	}
	b = appendReferences(b, v.References)
	b = appendRaw(b, "metadata", v.metadata)
	b = appendRaw(b, "ruleSet", v.ruleSet)
	b = append(b, `,"deleted":`...)
	b = strconv.AppendBool(b, v.Deleted)
	return Record{Key: schemaKey(v.Subject, v.Number), Value: append(b, '}')}
}

func appendReferences(b []byte, references []Reference) []byte {
	if len(references) == 0 {
		return b
	}
	b = append(b, `,"references":[`...)
	for i, r := range references {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"name":`...)
		b = append(b, quoted(r.Name)...)
		b = append(b, `,"subject":`...)
		b = append(b, quoted(r.Subject)...)
		b = append(b, `,"version":`...)
		b = strconv.AppendInt(b, int64(r.Version), 10)
		b = append(b, '}')
	}
	return append(b, ']')
}

func appendRaw(b []byte, key string, value json.RawMessage) []byte {
	if len(value) == 0 {
		return b
	}
	return append(append(b, `,"`+key+`":`...), value...)
}

func deleteRecord(subject string, version int) Record {
	b := append([]byte(`{"subject":`), quoted(subject)...)
	b = append(b, `,"version":`...)
	b = strconv.AppendInt(b, int64(version), 10)
	return Record{Key: subjectKey(keyDeleteSubject, subject), Value: append(b, '}')}
}

func configRecord(subject string, c Settings) Record {
	var members [][]byte
	if c.Compatibility != "" {
		members = append(members, append([]byte(`"compatibilityLevel":`), quoted(c.Compatibility)...))
	}
	if c.Normalize != nil {
		members = append(members, strconv.AppendBool([]byte(`"normalize":`), *c.Normalize))
	}
	return Record{
		Key:   subjectKey(keyConfig, subject),
		Value: slices.Concat([]byte{'{'}, bytes.Join(members, []byte{','}), []byte{'}'}),
	}
}

func modeRecord(subject, mode string) Record {
	return Record{Key: subjectKey(keyMode, subject), Value: append(append([]byte(`{"mode":`), quoted(mode)...), '}')}
}

func quoted(s string) []byte { return avrotext.AppendString(nil, s) }
