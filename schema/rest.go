package schema

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/riferrei/srclient"
)

const mediaType = "application/vnd.schemaregistry.v1+json"

// rest makes the calls that srclient lacks, through the same http.Client, with
// errors of the same type.
type rest struct {
	http *http.Client
	base string
}

func (r *rest) do(method, path string, body, reply any) error {
	var payload io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		payload = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, r.base+path, payload)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", mediaType)
	resp, err := r.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 400 {
		var answered srclient.Error
		if err := json.NewDecoder(resp.Body).Decode(&answered); err != nil {
			return errors.New(resp.Status)
		}
		return answered
	}
	return json.NewDecoder(resp.Body).Decode(reply)
}

// Verdict is a registry's answer to a compatibility check.
type Verdict struct {
	Compatible bool
	// Messages are the registry's reasons, one a difference.
	Messages []string
}

// Check asks whether a definition may be registered under a subject, against
// one version, or with version 0 against all that the subject's compatibility
// level names.
func (c *Client) Check(ctx context.Context, subject string, version int, def Definition) (Verdict, error) {
	key := fmt.Sprintf("check/%d/%s\x00%s", version, subject, def.key())
	return call(ctx, c, key, &Error{Op: "check compatibility", Subject: subject}, func() (Verdict, error) {
		if c.rest == nil {
			return c.checkRemote(subject, version, def)
		}
		path := "/compatibility/subjects/" + url.PathEscape(subject) + "/versions"
		if version != 0 {
			path += "/" + strconv.Itoa(version)
		}
		body := struct {
			Schema     string      `json:"schema"`
			Type       string      `json:"schemaType"`
			References []Reference `json:"references,omitempty"`
		}{def.Text, string(def.remoteType()), def.References}
		var reply struct {
			Compatible bool     `json:"is_compatible"`
			Messages   []string `json:"messages"`
		}
		err := c.rest.do(http.MethodPost, path+"?verbose=true", body, &reply)
		return Verdict{reply.Compatible, reply.Messages}, err
	})
}

func (c *Client) checkRemote(subject string, version int, def Definition) (Verdict, error) {
	against := "latest"
	if version != 0 {
		against = strconv.Itoa(version)
	}
	ok, err := c.remote.IsSchemaCompatible(subject, def.Text, against, def.remoteType(), def.remoteReferences()...)
	return Verdict{Compatible: ok}, err
}

// Compatibility returns the compatibility level of a subject, or with an empty
// subject the registry's.
func (c *Client) Compatibility(ctx context.Context, subject string) (string, error) {
	return call(ctx, c, "config/"+subject, &Error{Op: "read compatibility", Subject: subject}, func() (string, error) {
		level, err := c.remote.GetGlobalCompatibilityLevel()
		if subject != "" {
			level, err = c.remote.GetCompatibilityLevel(subject, true)
		}
		if err != nil {
			return "", err
		}
		return level.String(), nil
	})
}

// SetCompatibility sets the compatibility level of a subject, such as
// "BACKWARD" or "FULL_TRANSITIVE".
func (c *Client) SetCompatibility(ctx context.Context, subject, level string) error {
	_, err := call(ctx, c, "set config/"+subject+"/"+level, &Error{Op: "set compatibility", Subject: subject}, func() (struct{}, error) {
		_, err := c.remote.ChangeSubjectCompatibilityLevel(subject, srclient.CompatibilityLevel(level))
		return struct{}{}, err
	})
	return err
}

// DeleteSubject deletes all versions of a subject: softly, so that what was
// written with them is still read, or for good, which needs a soft delete
// before.
func (c *Client) DeleteSubject(ctx context.Context, subject string, permanent bool) error {
	key := fmt.Sprintf("delete/%t/%s", permanent, subject)
	_, err := call(ctx, c, key, &Error{Op: "delete", Subject: subject}, func() (struct{}, error) {
		defer c.latest.store(subject, latestEntry{})
		return struct{}{}, c.remote.DeleteSubject(subject, permanent)
	})
	return err
}

// DeleteVersion deletes one version of a subject. A permanent delete includes
// the soft one.
func (c *Client) DeleteVersion(ctx context.Context, subject string, version int, permanent bool) error {
	key := fmt.Sprintf("delete/%t/%d/%s", permanent, version, subject)
	_, err := call(ctx, c, key, &Error{Op: "delete version " + strconv.Itoa(version), Subject: subject}, func() (struct{}, error) {
		defer c.latest.store(subject, latestEntry{})
		return struct{}{}, c.remote.DeleteSubjectByVersion(subject, version, permanent)
	})
	return err
}
