package schema

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/riferrei/srclient"
	"golang.org/x/sync/singleflight"
)

// Type is the language of a schema.
type Type string

// The types that a registry may hold.
const (
	TypeAvro     Type = "AVRO"
	TypeJSON     Type = "JSON"
	TypeProtobuf Type = "PROTOBUF"
)

// Reference names a schema that another one uses the types of.
type Reference struct {
	// Name is how the schema calls it: for Avro the full name of the type.
	Name string `json:"name"`
	// Subject and Version say where it is registered.
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// Definition is the text of a schema and what it refers to.
type Definition struct {
	Text       string
	Type       Type // TypeAvro when empty
	References []Reference
}

// Schema is a registered schema. It never changes.
type Schema struct {
	Definition
	// ID is what a frame carries.
	ID int
	// Subject and Version are where it was found; a schema found by its id has
	// none, as it may be registered under several subjects.
	Subject string
	Version int
}

// missingTTL is how long an unknown id is taken as unknown without asking.
const missingTTL = time.Second

// Client asks a schema registry and caches what it says. It is safe for
// concurrent use.
type Client struct {
	remote    srclient.ISchemaRegistryClient
	rest      *rest // nil with WithSRClient
	latestTTL time.Duration
	close     context.CancelFunc

	flight    singleflight.Group
	abandoned sync.WaitGroup // requests whose callers left
	ids       table[int, *Schema]
	known     table[knownKey, int]
	latest    table[string, latestEntry]
	unknown   missing[int]
	parsed    table[int, *written] // Avro schemas by id, references resolved
}

// knownKey is the place of a definition whose id is cached.
type knownKey struct{ subject, definition string }

type latestEntry struct {
	schema *Schema
	until  time.Time
}

// NewClient makes a client of the registry at the addresses, separated by
// commas; the first that answers is used until it fails. Nothing is contacted
// yet. The caller closes it.
func NewClient(urls string, opts ...ClientOption) (*Client, error) {
	config := clientConfig{transport: http.DefaultTransport, latestTTL: time.Minute}
	for _, opt := range opts {
		if err := opt(&config); err != nil {
			return nil, fmt.Errorf("schema client: %w", err)
		}
	}
	closed, cancel := context.WithCancel(context.Background())
	c := &Client{latestTTL: config.latestTTL, close: cancel, remote: config.remote}
	if c.remote != nil {
		return c, nil
	}
	bases, err := parseBases(urls)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("schema client: %w", err)
	}
	httpClient := &http.Client{
		Transport: &transport{next: config.transport, bases: bases, auth: config.auth, closed: closed},
		Timeout:   callTimeout,
	}
	c.rest = &rest{http: httpClient, base: bases[0].String()}
	remote := srclient.NewSchemaRegistryClient(c.rest.base, srclient.WithClient(httpClient))
	// Its caches never expire and its codecs are built under a data race: ours
	// replace both.
	remote.CachingEnabled(false)
	remote.CodecCreationEnabled(false)
	c.remote = remote
	return c, nil
}

// Close ends what is in flight and waits for it.
func (c *Client) Close() {
	c.close()
	c.abandoned.Wait()
	if c.rest != nil {
		c.rest.http.CloseIdleConnections()
	}
}

// ByID returns the schema with an id, from the cache if it was seen before.
func (c *Client) ByID(ctx context.Context, id int) (*Schema, error) {
	if s, ok := c.ids.load(id); ok {
		return s, nil
	}
	if c.unknown.has(id, time.Now()) {
		return nil, &Error{Op: "look up", ID: id, Offset: -1, Code: 40403,
			Err: as(fmt.Errorf("schema %d not found", id), ErrNotFound)}
	}
	s, err := call(ctx, c, "id/"+strconv.Itoa(id), &Error{Op: "look up", ID: id}, func() (*Schema, error) {
		if s, ok := c.ids.load(id); ok { // it came between the look and the call
			return s, nil
		}
		found, err := c.remote.GetSchema(id)
		if err != nil {
			return nil, err
		}
		s := fromRemote(found, "")
		s.ID, s.Version = id, 0
		c.ids.store(id, s)
		return s, nil
	})
	if errors.Is(err, ErrNotFound) {
		c.unknown.add(id, time.Now().Add(missingTTL))
	}
	return s, err
}

// Latest returns the latest version of a subject, at most LatestTTL old.
func (c *Client) Latest(ctx context.Context, subject string) (*Schema, error) {
	if entry, ok := c.latest.load(subject); ok && time.Now().Before(entry.until) {
		return entry.schema, nil
	}
	return call(ctx, c, "latest/"+subject, &Error{Op: "look up latest version", Subject: subject}, func() (*Schema, error) {
		if entry, ok := c.latest.load(subject); ok && time.Now().Before(entry.until) {
			return entry.schema, nil
		}
		found, err := c.remote.GetLatestSchema(subject)
		if err != nil {
			return nil, err
		}
		s := fromRemote(found, subject)
		c.latest.store(subject, latestEntry{schema: s, until: time.Now().Add(c.latestTTL)})
		return s, nil
	})
}

// Version returns one version of a subject.
func (c *Client) Version(ctx context.Context, subject string, version int) (*Schema, error) {
	key := fmt.Sprintf("version/%d/%s", version, subject)
	return call(ctx, c, key, &Error{Op: "look up version " + strconv.Itoa(version), Subject: subject}, func() (*Schema, error) {
		found, err := c.remote.GetSchemaByVersion(subject, version)
		if err != nil {
			return nil, err
		}
		return fromRemote(found, subject), nil
	})
}

// Lookup returns the registered form of a definition, or ErrNotFound when the
// subject does not hold it.
func (c *Client) Lookup(ctx context.Context, subject string, def Definition) (*Schema, error) {
	key := "lookup/" + subject + "\x00" + def.key()
	return call(ctx, c, key, &Error{Op: "look up schema", Subject: subject}, func() (*Schema, error) {
		found, err := c.remote.LookupSchema(subject, def.Text, def.remoteType(), def.remoteReferences()...)
		if err != nil {
			return nil, err
		}
		return fromRemote(found, subject), nil
	})
}

// Register registers a definition under a subject and returns its id.
// Registering what the subject already holds changes nothing. A contradiction
// to an earlier version is ErrIncompatible, with the registry's reasons.
func (c *Client) Register(ctx context.Context, subject string, def Definition) (int, error) {
	known := knownKey{subject, def.key()}
	if id, ok := c.known.load(known); ok {
		return id, nil
	}
	key := "register/" + subject + "\x00" + known.definition
	return call(ctx, c, key, &Error{Op: "register", Subject: subject}, func() (int, error) {
		if id, ok := c.known.load(known); ok {
			return id, nil
		}
		found, err := c.remote.CreateSchema(subject, def.Text, def.remoteType(), def.remoteReferences()...)
		if err != nil {
			return 0, err
		}
		id := found.ID()
		c.unknown.drop(id)
		c.latest.store(subject, latestEntry{}) // there is a newer one now
		c.known.store(known, id)
		return id, nil
	})
}

// identify returns the id of a definition that must be registered already.
func (c *Client) identify(ctx context.Context, subject string, def Definition) (int, error) {
	known := knownKey{subject, def.key()}
	if id, ok := c.known.load(known); ok {
		return id, nil
	}
	s, err := c.Lookup(ctx, subject, def)
	if err != nil {
		return 0, err
	}
	c.known.store(known, s.ID)
	return s.ID, nil
}

// Subjects lists the subjects of the registry.
func (c *Client) Subjects(ctx context.Context) ([]string, error) {
	return call(ctx, c, "subjects", &Error{Op: "list subjects"}, c.remote.GetSubjects)
}

// Versions lists the versions of a subject, ascending.
func (c *Client) Versions(ctx context.Context, subject string) ([]int, error) {
	return call(ctx, c, "versions/"+subject, &Error{Op: "list versions", Subject: subject}, func() ([]int, error) {
		return c.remote.GetSchemaVersions(subject)
	})
}

func fromRemote(found *srclient.Schema, subject string) *Schema {
	s := &Schema{ID: found.ID(), Subject: subject, Version: found.Version()}
	s.Text, s.Type = found.Schema(), TypeAvro
	if t := found.SchemaType(); t != nil && *t != "" { // absent means Avro
		s.Type = Type(*t)
	}
	for _, r := range found.References() {
		s.References = append(s.References, Reference(r))
	}
	return s
}

func (d Definition) remoteType() srclient.SchemaType {
	if d.Type == "" {
		return srclient.Avro
	}
	return srclient.SchemaType(d.Type)
}

func (d Definition) remoteReferences() []srclient.Reference {
	refs := make([]srclient.Reference, 0, len(d.References))
	for _, r := range d.References {
		refs = append(refs, srclient.Reference(r))
	}
	return refs
}

// key tells definitions apart within a subject.
func (d Definition) key() string {
	key := string(d.remoteType()) + "\x00" + d.Text
	for _, r := range d.References {
		key += fmt.Sprintf("\x00%s\x00%s\x00%d", r.Name, r.Subject, r.Version)
	}
	return key
}
