package schema_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace-io/millrace/schema"
	"github.com/millrace-io/millrace/schema/schematest"
)

// counting serves canned replies and counts requests by path.
type counting struct {
	mu    sync.Mutex
	count map[string]int
	reply func(path string) (int, string)
}

func (c *counting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	if c.count == nil {
		c.count = make(map[string]int)
	}
	c.count[r.URL.Path]++
	c.mu.Unlock()
	status, body := c.reply(r.URL.Path)
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}

func (c *counting) requests(path string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count[path]
}

func serve(t *testing.T, reply func(path string) (int, string)) (*counting, string) {
	t.Helper()
	c := &counting{reply: reply}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	return c, server.URL
}

func newClient(t *testing.T, urls string, opts ...schema.ClientOption) *schema.Client {
	t.Helper()
	client, err := schema.NewClient(urls, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// TestOneRequestForManyWhoMiss: a thousand goroutines on one cold id make one
// request, and later ones none.
func TestOneRequestForManyWhoMiss(t *testing.T) {
	asked := make(chan struct{})
	var once sync.Once
	release := make(chan struct{})
	server, url := serve(t, func(string) (int, string) {
		once.Do(func() { close(asked) })
		<-release
		return 200, `{"schema":"\"string\""}`
	})
	client := newClient(t, url)
	var running sync.WaitGroup
	for range 1000 {
		running.Go(func() {
			if s, err := client.ByID(t.Context(), 7); err != nil || s.Text != `"string"` || s.Type != schema.TypeAvro || s.ID != 7 {
				t.Errorf("got %+v, %v", s, err)
			}
		})
	}
	<-asked
	close(release)
	running.Wait()
	if n := server.requests("/schemas/ids/7"); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

// TestUnknownIDIsRemembered: what the registry does not have is not asked for
// again at once.
func TestUnknownIDIsRemembered(t *testing.T) {
	server, url := serve(t, func(string) (int, string) { return 404, `{"error_code":40403,"message":"Schema 9 not found"}` })
	client := newClient(t, url)
	for range 100 {
		if _, err := client.ByID(t.Context(), 9); !errors.Is(err, schema.ErrNotFound) {
			t.Fatal(err)
		}
	}
	if n := server.requests("/schemas/ids/9"); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

// TestLatestExpires: latest comes from the cache for its time to live, and not
// after the client itself registered a newer one.
func TestLatestExpires(t *testing.T) {
	registry := schematest.New(t)
	client := newClient(t, registry.URL(), schema.LatestTTL(time.Hour))
	register(t, client, `"string"`)
	if s, err := client.Latest(t.Context(), "a"); err != nil || s.Version != 1 {
		t.Fatalf("latest %+v, %v", s, err)
	}
	registry.Register("a", `["string","int"]`) // by another client
	if s, err := client.Latest(t.Context(), "a"); err != nil || s.Version != 1 {
		t.Errorf("within its time to live latest is %+v, %v", s, err)
	}
	register(t, client, `["string","int","long"]`)
	if s, err := client.Latest(t.Context(), "a"); err != nil || s.Version != 3 {
		t.Errorf("after a register latest is %+v, %v", s, err)
	}
	impatient := newClient(t, registry.URL(), schema.LatestTTL(0))
	for want := 3; want < 5; want++ {
		if s, err := impatient.Latest(t.Context(), "a"); err != nil || s.Version != want {
			t.Errorf("without a cache latest is %+v, %v; want version %d", s, err, want)
		}
		registry.Register("a", `["string","int","long","double"]`)
	}
}

func register(t *testing.T, client *schema.Client, text string) {
	t.Helper()
	if _, err := client.Register(t.Context(), "a", schema.Definition{Text: text}); err != nil {
		t.Fatal(err)
	}
}

// TestFailover: an address that does not answer is passed over, and the one
// that does is asked first from then on.
func TestFailover(t *testing.T) {
	dead := httptest.NewServer(nil)
	dead.Close()
	broken, brokenURL := serve(t, func(string) (int, string) { return 502, "bad gateway" })
	_, goodURL := serve(t, func(string) (int, string) { return 200, `["a"]` })
	client := newClient(t, strings.Join([]string{dead.URL, brokenURL, goodURL + "/"}, ","))
	for range 3 {
		if subjects, err := client.Subjects(t.Context()); err != nil || len(subjects) != 1 {
			t.Fatalf("subjects %v, %v", subjects, err)
		}
	}
	if n := broken.requests("/subjects"); n != 1 {
		t.Errorf("the broken address was asked %d times, want 1", n)
	}
}

// TestRetry: a registry that is starting is asked again, and credentials and
// body go along each time.
func TestRetry(t *testing.T) {
	var n atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if user != "u" || password != "p" || r.ContentLength == 0 && r.Method == http.MethodPost {
			t.Errorf("%s %s without credentials or body", r.Method, r.URL)
		}
		if n.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, `{"id":1,"schema":"\"string\""}`)
	}))
	defer server.Close()
	client := newClient(t, server.URL, schema.BasicAuth("u", "p"))
	if id, err := client.Register(t.Context(), "a", schema.Definition{Text: `"string"`}); err != nil || id != 1 {
		t.Errorf("registered as %d, %v", id, err)
	}
}

// TestErrors: each kind of answer is the error that a caller can ask for.
func TestErrors(t *testing.T) {
	for _, c := range []struct {
		status    int
		body      string
		kind      error
		code      int
		retryable bool
	}{
		{404, `{"error_code":40401,"message":"Subject 'a' not found."}`, schema.ErrNotFound, 40401, false},
		{409, `{"error_code":409,"message":"incompatible"}`, schema.ErrIncompatible, 409, false},
		{409, `{"error_code":40901,"message":"incompatible"}`, schema.ErrIncompatible, 40901, false},
		{422, `{"error_code":42201,"message":"Invalid schema"}`, schema.ErrInvalid, 42201, false},
		{500, `{"error_code":50002,"message":"timed out"}`, schema.ErrUnavailable, 50002, true},
		{401, `<html>no</html>`, schema.ErrInvalid, 401, false},
		{404, `<html>no such page</html>`, schema.ErrNotFound, 404, false},
	} {
		_, url := serve(t, func(string) (int, string) { return c.status, c.body })
		_, err := newClient(t, url).Latest(t.Context(), "a")
		var e *schema.Error
		if !errors.As(err, &e) || !errors.Is(err, c.kind) || e.Code != c.code || e.Retryable != c.retryable || e.Subject != "a" {
			t.Errorf("%d %s gives %#v", c.status, c.body, err)
		}
	}
}

// TestContextEnds: who no longer waits gets an answer at once, and Close does
// not leave the request behind.
func TestContextEnds(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	_, url := serve(t, func(string) (int, string) {
		close(asked)
		<-release
		return 200, `[]`
	})
	defer close(release)
	client := newClient(t, url)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	_, err := client.Subjects(ctx)
	var e *schema.Error
	if !errors.Is(err, schema.ErrUnavailable) || !errors.Is(err, context.Canceled) || !errors.As(err, &e) || !e.Retryable {
		t.Errorf("after its context ended the call gives %v", err)
	}
	client.Close()
}

func TestNewClientRefuses(t *testing.T) {
	for _, urls := range []string{"", " , ", "localhost:8081", "ftp://x", "http://%zz"} {
		if _, err := schema.NewClient(urls); err == nil {
			t.Errorf("%q is accepted", urls)
		}
	}
	if _, err := schema.NewClient("", schema.WithSRClient(nil)); err == nil {
		t.Error("no srclient is accepted")
	}
	if _, err := schema.NewClient("http://x", schema.LatestTTL(-1)); err == nil {
		t.Error("a negative time to live is accepted")
	}
}

func TestClientManages(t *testing.T) {
	client := schematest.New(t).Client()
	ctx := t.Context()
	def := schema.Definition{Text: `{"type":"record","name":"R","fields":[]}`}
	if _, err := client.Register(ctx, "a b/c", def); err != nil {
		t.Fatal(err)
	}
	next := schema.Definition{Text: `{"type":"record","name":"R","fields":[{"name":"x","type":"int"}]}`}
	verdict, err := client.Check(ctx, "a b/c", 0, next)
	if err != nil || verdict.Compatible || !strings.Contains(strings.Join(verdict.Messages, ""), "remedy") {
		t.Errorf("checked %+v, %v", verdict, err)
	}
	if _, err := client.Register(ctx, "a b/c", next); !errors.Is(err, schema.ErrIncompatible) {
		t.Errorf("registered an incompatible schema: %v", err)
	}
	if err := client.SetCompatibility(ctx, "a b/c", "NONE"); err != nil {
		t.Error(err)
	}
	if level, err := client.Compatibility(ctx, "a b/c"); err != nil || level != "NONE" {
		t.Errorf("level %s, %v", level, err)
	}
	if level, err := client.Compatibility(ctx, ""); err != nil || level != "BACKWARD" {
		t.Errorf("global level %s, %v", level, err)
	}
	if _, err := client.Register(ctx, "a b/c", next); err != nil {
		t.Error(err)
	}
	if versions, err := client.Versions(ctx, "a b/c"); err != nil || len(versions) != 2 {
		t.Errorf("versions %v, %v", versions, err)
	}
	if err := client.DeleteVersion(ctx, "a b/c", 1, true); err != nil {
		t.Error(err)
	}
	if err := client.DeleteSubject(ctx, "a b/c", false); err != nil {
		t.Error(err)
	}
	if err := client.DeleteSubject(ctx, "a b/c", true); err != nil {
		t.Error(err)
	}
	if subjects, err := client.Subjects(ctx); err != nil || len(subjects) != 0 {
		t.Errorf("subjects %v, %v", subjects, err)
	}
}
