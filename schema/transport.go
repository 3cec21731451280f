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
	"strings"
	"sync/atomic"
	"time"
)

const (
	attemptTimeout = 5 * time.Second
	callTimeout    = 15 * time.Second
	maxAttempts    = 4
	firstBackoff   = 50 * time.Millisecond
	maxReplyBytes  = 64 << 20
	userAgent      = "millrace-schema"
)

// transport is the http.RoundTripper beneath srclient, and what srclient
// lacks: a deadline per attempt, retries with backoff, failover over the
// registry's addresses, credentials. Replies are read whole within the
// attempt, and an error reply that is not the registry's JSON (a proxy's page,
// say) is turned into it, so that callers see one shape.
type transport struct {
	next   http.RoundTripper
	bases  []*url.URL
	auth   func(*http.Request)
	closed context.Context
	// good is the index of the address that answered last.
	good atomic.Int32
}

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	path := strings.TrimPrefix(req.URL.EscapedPath(), t.bases[0].EscapedPath())
	backoff := firstBackoff
	start := int(t.good.Load())
	var last error
	for attempt := range maxAttempts * len(t.bases) {
		at := (start + attempt) % len(t.bases)
		resp, err := t.attempt(req, t.bases[at], path)
		if err == nil && !retryStatus(resp.StatusCode) {
			t.good.Store(int32(at))
			return resp, nil
		}
		last = err
		if err == nil {
			last = fmt.Errorf("%s answered %s", t.bases[at].Redacted(), resp.Status)
		}
		if !mayRepeat(req, err) {
			break
		}
		if (attempt+1)%len(t.bases) != 0 {
			continue // another address, at once
		}
		if attempt+1 == maxAttempts*len(t.bases) || !pause(req.Context(), t.closed, backoff) {
			break
		}
		backoff *= 3
	}
	return nil, last
}

func (t *transport) attempt(req *http.Request, base *url.URL, path string) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), attemptTimeout)
	defer cancel()
	defer context.AfterFunc(t.closed, cancel)()
	out := req.Clone(ctx)
	target, err := url.Parse(base.Scheme + "://" + base.Host + base.EscapedPath() + path)
	if err != nil {
		return nil, err
	}
	target.RawQuery, target.User = req.URL.RawQuery, base.User
	out.URL, out.Host = target, ""
	if req.GetBody != nil {
		if out.Body, err = req.GetBody(); err != nil {
			return nil, err
		}
	}
	out.Header.Set("User-Agent", userAgent)
	out.Header.Set("Accept", "application/vnd.schemaregistry.v1+json, application/vnd.schemaregistry+json, application/json")
	if t.auth != nil {
		t.auth(out)
	}
	resp, err := t.next.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	return buffered(resp)
}

// buffered reads the reply whole and gives an error reply the registry's form.
func buffered(resp *http.Response) (*http.Response, error) {
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReplyBytes+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxReplyBytes {
		return nil, fmt.Errorf("reply is larger than %d bytes", maxReplyBytes)
	}
	if resp.StatusCode >= 400 && !registryError(body) {
		body, err = json.Marshal(map[string]any{"error_code": resp.StatusCode, "message": resp.Status})
		if err != nil {
			return nil, err
		}
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.ContentLength = int64(len(body))
	return resp, nil
}

func registryError(body []byte) bool {
	var shape struct {
		Code *int `json:"error_code"`
	}
	return json.Unmarshal(body, &shape) == nil && shape.Code != nil
}

func retryStatus(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	default:
		return false
	}
}

// mayRepeat reports whether sending the request again is harmless: registering
// twice gives the same id, but a second delete answers 404.
func mayRepeat(req *http.Request, err error) bool {
	return req.Method != http.MethodDelete && !errors.Is(err, context.Canceled) && req.Context().Err() == nil
}

// pause waits and reports whether the wait ended by itself.
func pause(ctx, closed context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	case <-closed.Done():
		return false
	}
}

func parseBases(urls string) ([]*url.URL, error) {
	var bases []*url.URL
	for raw := range strings.SplitSeq(urls, ",") {
		raw = strings.TrimRight(strings.TrimSpace(raw), "/")
		if raw == "" {
			continue
		}
		base, err := url.Parse(raw)
		if err != nil {
			return nil, fmt.Errorf("registry address %q: %w", raw, err)
		}
		if base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
			return nil, fmt.Errorf("registry address %q: need http://host:port", raw)
		}
		bases = append(bases, base)
	}
	if len(bases) == 0 {
		return nil, errors.New("no registry address: need http://host:port, several separated by commas")
	}
	return bases, nil
}
