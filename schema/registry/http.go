package registry

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/millrace-io/millrace/schema/internal/strictjson"
)

const (
	mediaV1      = "application/vnd.schemaregistry.v1+json"
	mediaAny     = "application/vnd.schemaregistry+json"
	mediaJSON    = "application/json"
	mediaOctets  = "application/octet-stream"
	maxBodyBytes = 1 << 20
)

func (r *Registry) serve(w http.ResponseWriter, req *http.Request) {
	began := time.Now()
	out := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	pattern := r.answer(out, req)
	r.metrics.observe(pattern, out.status, time.Since(began))
}

// answer handles a request and returns the pattern of its route.
func (r *Registry) answer(w http.ResponseWriter, req *http.Request) string {
	media, acceptable := negotiate(req.Header.Values("Accept"))
	w.Header().Set("Content-Type", media)
	route, params, allowed := r.router.match(req.Method, req.URL.EscapedPath())
	if route == nil {
		if len(allowed) > 0 {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			r.reply(w, nil, fail(http.StatusMethodNotAllowed, "HTTP 405 Method Not Allowed"))
		} else {
			r.reply(w, nil, fail(http.StatusNotFound, "HTTP 404 Not Found"))
		}
		return "none"
	}
	switch {
	case !acceptable:
		r.reply(w, nil, fail(http.StatusNotAcceptable, "HTTP 406 Not Acceptable: the registry answers in %s", mediaV1))
	case !readableBody(req):
		r.reply(w, nil, fail(http.StatusUnsupportedMediaType, "HTTP 415 Unsupported Media Type: send %s", mediaV1))
	case !r.serving.Load():
		w.Header().Set("Retry-After", "1")
		r.reply(w, nil, errStarting())
	default:
		req.Body = http.MaxBytesReader(w, req.Body, maxBodyBytes)
		reply, err := route.handle(&call{Request: req, reg: r, params: params, query: req.URL.Query()})
		r.reply(w, reply, err)
	}
	return route.pattern
}

// negotiate picks the media type of the reply from what a client accepts.
func negotiate(accept []string) (media string, ok bool) {
	asked := false
	for entry := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		kind, _, _ := strings.Cut(entry, ";")
		switch kind = strings.TrimSpace(kind); kind {
		case "":
			continue
		case mediaV1, mediaAny, mediaJSON:
			return kind, true
		case "*/*", "application/*", mediaOctets:
			return mediaV1, true
		}
		asked = true
	}
	return mediaV1, !asked
}

func readableBody(req *http.Request) bool {
	if req.Method != http.MethodPost && req.Method != http.MethodPut {
		return true
	}
	header := req.Header.Get("Content-Type")
	if header == "" {
		return true
	}
	media, _, err := mime.ParseMediaType(header)
	return err == nil && (media == mediaV1 || media == mediaAny || media == mediaJSON || media == mediaOctets)
}

// reply writes what a handler returned. The type of every reply is JSON, the
// errors' too.
func (r *Registry) reply(w http.ResponseWriter, reply any, err error) {
	status := http.StatusOK
	if err != nil {
		var known *apiError
		if !errors.As(err, &known) {
			known = fail(50001, "%v", err)
			r.config.Logger.Error("request failed", "part", "schema", "error", err)
		}
		status, reply = known.status(), known
	}
	var body []byte
	switch v := reply.(type) {
	case text:
		body = []byte(v)
	case json.RawMessage:
		body = v
	default:
		body = encode(v)
	}
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		r.config.Logger.Debug("client left before the reply", "part", "schema", "error", err)
	}
}

// encode writes JSON without escaping what HTML would need.
func encode(v any) []byte {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return []byte(`{"error_code":50001,"message":"cannot encode the reply"}`)
	}
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}

// decode reads the body of a request: exactly one JSON object, without
// duplicate keys, nested at most as deep as strictjson allows.
func (c *call) decode(into any) error {
	body, err := io.ReadAll(c.Body)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return fail(http.StatusRequestEntityTooLarge, "The body is larger than %d bytes", tooLarge.Limit)
	}
	if err != nil {
		return fail(http.StatusBadRequest, "Cannot read the body: %v", err)
	}
	v, err := strictjson.Parse(body)
	if err != nil {
		return fail(http.StatusBadRequest, "The body is not valid JSON: %v", err)
	}
	if v.Kind != strictjson.Object {
		return fail(http.StatusBadRequest, "The body must be a JSON object, found %s", v.Kind)
	}
	if err := json.Unmarshal(body, into); err != nil {
		var mistyped *json.UnmarshalTypeError
		if errors.As(err, &mistyped) {
			at := strictjson.ErrorAt(body, int(mistyped.Offset), "%q must not be a %s", mistyped.Field, mistyped.Value)
			return fail(http.StatusBadRequest, "The body is not a request: %v", at)
		}
		return fail(http.StatusBadRequest, "The body is not a request: %v", err)
	}
	return nil
}

// roundTripper serves requests by the handler, without a network.
type roundTripper struct{ handler http.Handler }

// Transport lets an HTTP client in the same process call the registry without
// a network: schema.NewClient("http://registry", schema.Transport(...)).
func (r *Registry) Transport() http.RoundTripper { return roundTripper{r.Handler()} }

func (t roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	if req.Body == nil {
		req = req.Clone(req.Context())
		req.Body = http.NoBody
	}
	defer req.Body.Close()
	w := &memoryWriter{header: make(http.Header), status: http.StatusOK}
	t.handler.ServeHTTP(w, req)
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(strings.NewReader(w.body.String())),
		ContentLength: int64(w.body.Len()), Request: req,
	}, nil
}

type memoryWriter struct {
	header http.Header
	status int
	body   strings.Builder
}

func (w *memoryWriter) Header() http.Header         { return w.header }
func (w *memoryWriter) WriteHeader(status int)      { w.status = status }
func (w *memoryWriter) Write(b []byte) (int, error) { return w.body.Write(b) }
