package registry

import "github.com/millrace-io/millrace/schema/internal/avrotext"

// Replies leave out what is null or empty: old clients fail on properties that
// they do not know, and an empty list is one.

// schemaReply is a version of a subject.
type schemaReply struct {
	Subject    string      `json:"subject"`
	Version    int         `json:"version"`
	ID         int         `json:"id"`
	GUID       string      `json:"guid,omitempty"`
	Type       string      `json:"schemaType,omitempty"`
	References []Reference `json:"references,omitempty"`
	Schema     string      `json:"schema"`
	At         int64       `json:"ts,omitempty"`
	Deleted    bool        `json:"deleted,omitempty"`
}

// idReply is what an id stands for.
type idReply struct {
	Subject    string      `json:"subject,omitempty"`
	Version    int         `json:"version,omitempty"`
	GUID       string      `json:"guid,omitempty"`
	Type       string      `json:"schemaType,omitempty"`
	Schema     string      `json:"schema"`
	References []Reference `json:"references,omitempty"`
	MaxID      int         `json:"maxId,omitempty"`
	At         int64       `json:"ts,omitempty"`
	Deleted    bool        `json:"deleted,omitempty"`
}

// registerReply answers a register. Profile 7 knows the id alone.
type registerReply struct {
	ID         int         `json:"id"`
	Version    int         `json:"version,omitempty"`
	GUID       string      `json:"guid,omitempty"`
	Type       string      `json:"schemaType,omitempty"`
	Schema     string      `json:"schema,omitempty"`
	References []Reference `json:"references,omitempty"`
	At         int64       `json:"ts,omitempty"`
}

type subjectVersionReply struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

func (r *Registry) modern() bool { return r.config.ResponseProfile >= 8 }

// typeName is the type as replies give it: profile 7 leaves AVRO out.
func (r *Registry) typeName(c *content) string {
	if c.Type == typeAvro && !r.modern() {
		return ""
	}
	return c.Type
}

func (r *Registry) schemaReply(v *Version) schemaReply {
	reply := schemaReply{Subject: v.Subject, Version: v.Number, ID: v.ID, Type: r.typeName(v.content),
		References: v.References, Schema: v.Text}
	if r.modern() {
		reply.GUID, reply.At, reply.Deleted = avrotext.GUID(v.sum), v.At.UnixMilli(), v.Deleted
	}
	return reply
}

func (r *Registry) idReply(v *Version) idReply {
	reply := idReply{Type: r.typeName(v.content), Schema: v.Text, References: v.References}
	if r.modern() {
		reply.Subject, reply.Version, reply.GUID = v.Subject, v.Number, avrotext.GUID(v.sum)
		reply.At, reply.Deleted = v.At.UnixMilli(), v.Deleted
	}
	return reply
}

func (r *Registry) registerReply(v *Version) registerReply {
	if !r.modern() {
		return registerReply{ID: v.ID}
	}
	return registerReply{ID: v.ID, Version: v.Number, GUID: avrotext.GUID(v.sum), Type: v.Type,
		Schema: v.Text, References: v.References, At: v.At.UnixMilli()}
}
