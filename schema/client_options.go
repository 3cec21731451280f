package schema

import (
	"errors"
	"net/http"
	"time"

	"github.com/riferrei/srclient"
)

// ClientOption changes how a client reaches its registry.
type ClientOption func(*clientConfig) error

type clientConfig struct {
	auth      func(*http.Request)
	transport http.RoundTripper
	latestTTL time.Duration
	remote    srclient.ISchemaRegistryClient
}

// BasicAuth sends a user name and password with every request.
func BasicAuth(username, password string) ClientOption {
	return func(c *clientConfig) error {
		if username == "" {
			return nil // an empty profile
		}
		c.auth = func(r *http.Request) { r.SetBasicAuth(username, password) }
		return nil
	}
}

// BearerToken sends a token with every request.
func BearerToken(token string) ClientOption {
	return func(c *clientConfig) error {
		c.auth = func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
		return nil
	}
}

// LatestTTL says how long the latest version of a subject is taken from the
// cache; a minute by default.
func LatestTTL(d time.Duration) ClientOption {
	return func(c *clientConfig) error {
		if d < 0 {
			return errors.New("LatestTTL: need a duration of at least 0")
		}
		c.latestTTL = d
		return nil
	}
}

// Transport replaces the HTTP transport beneath the client's retries, for TLS
// of one's own or for a registry in the same process.
func Transport(next http.RoundTripper) ClientOption {
	return func(c *clientConfig) error {
		c.transport = next
		return nil
	}
}

// WithSRClient takes any srclient, a mock included, in place of HTTP. The
// client's caches stand in front of it; switch its own off.
func WithSRClient(remote srclient.ISchemaRegistryClient) ClientOption {
	return func(c *clientConfig) error {
		if remote == nil {
			return errors.New("WithSRClient: need a client")
		}
		c.remote = remote
		return nil
	}
}
