package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/millrace-io/millrace/connect"
	"github.com/millrace-io/millrace/connect/worker"
)

const (
	maxBody = 1 << 20
	// requestTimeout is Kafka Connect's.
	requestTimeout = 90 * time.Second
	// version begins with a number of Kafka's, which clients look at.
	version = "4.3.0-millrace"
)

// api holds the worker that answers.
type api struct{ worker *worker.Worker }

// answer is what a route gives: a status and a body, or nil for none.
type answer struct {
	status   int
	body     any
	location string
}

func ok(body any) (answer, error) { return answer{status: http.StatusOK, body: body}, nil }

// failure is an error with its HTTP status.
type failure struct {
	status  int
	message string
}

func (f *failure) Error() string { return f.message }

func fail(status int, format string, args ...any) error {
	return &failure{status, fmt.Sprintf(format, args...)}
}

type route func(r *http.Request) (answer, error)

// Handler serves the interface for a worker.
func Handler(w *worker.Worker) http.Handler {
	a := &api{w}
	mux := http.NewServeMux()
	for pattern, route := range a.routes() {
		mux.Handle(pattern, a.serve(route))
	}
	mux.Handle("/", a.serve(func(r *http.Request) (answer, error) {
		return answer{}, fail(http.StatusNotFound, "HTTP 404 Not Found")
	}))
	return a.methods(mux)
}

func (a *api) routes() map[string]route {
	return map[string]route{
		"GET /{$}":                                       a.root,
		"GET /health":                                    a.health,
		"GET /connectors":                                a.list,
		"POST /connectors":                               a.create,
		"GET /connectors/{name}":                         a.info,
		"DELETE /connectors/{name}":                      a.remove,
		"GET /connectors/{name}/config":                  a.config,
		"PUT /connectors/{name}/config":                  a.put,
		"PATCH /connectors/{name}/config":                a.patch,
		"GET /connectors/{name}/status":                  a.status,
		"POST /connectors/{name}/restart":                a.restart,
		"PUT /connectors/{name}/pause":                   a.target(worker.TargetPaused, http.StatusAccepted),
		"PUT /connectors/{name}/resume":                  a.target(worker.TargetStarted, http.StatusAccepted),
		"PUT /connectors/{name}/stop":                    a.target(worker.TargetStopped, http.StatusNoContent),
		"GET /connectors/{name}/tasks":                   a.tasks,
		"GET /connectors/{name}/tasks/{task}/status":     a.taskStatus,
		"POST /connectors/{name}/tasks/{task}/restart":   a.taskRestart,
		"GET /connectors/{name}/offsets":                 a.offsets,
		"GET /connector-plugins":                         a.plugins,
		"GET /connector-plugins/{class}/config":          a.pluginConfig,
		"PUT /connector-plugins/{class}/config/validate": a.validate,
	}
}

// methods answers a known path with a wrong method in JSON as well: ServeMux
// alone would answer in plain text.
func (a *api) methods(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern == "/" || pattern == "" {
			if allowed := a.allowed(mux, r); len(allowed) > 0 {
				w.Header().Set("Allow", strings.Join(allowed, ", "))
				write(w, answer{status: http.StatusMethodNotAllowed, body: errorBody(http.StatusMethodNotAllowed, "HTTP 405 Method Not Allowed")})
				return
			}
		}
		mux.ServeHTTP(w, r)
	})
}

func (a *api) allowed(mux *http.ServeMux, r *http.Request) []string {
	var allowed []string
	for _, method := range []string{http.MethodDelete, http.MethodGet, http.MethodPatch, http.MethodPost, http.MethodPut} {
		probe := *r
		probe.Method = method
		if _, pattern := mux.Handler(&probe); pattern != "/" && pattern != "" {
			allowed = append(allowed, method)
		}
	}
	return allowed
}

func (a *api) serve(route route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		r = r.WithContext(ctx)
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		result, err := route(r)
		if err != nil {
			status, message := statusOf(err)
			result = answer{status: status, body: errorBody(status, message)}
		}
		write(w, result)
	})
}

func errorBody(status int, message string) any {
	return struct {
		Code    int    `json:"error_code"`
		Message string `json:"message"`
	}{status, message}
}

func write(w http.ResponseWriter, result answer) {
	if result.location != "" {
		w.Header().Set("Location", result.location)
	}
	if result.body == nil {
		w.WriteHeader(result.status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(result.status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(result.body) // the client has gone, and there is no one to tell
}

// statusOf is the one place where errors become HTTP.
func statusOf(err error) (int, string) {
	var f *failure
	var config *connect.ConfigError
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &f):
		return f.status, f.message
	case errors.As(err, &config):
		return http.StatusBadRequest, invalid(config)
	case errors.As(err, &large):
		return http.StatusRequestEntityTooLarge, "the body is larger than 1 MiB"
	case errors.Is(err, worker.ErrNotFound):
		return http.StatusNotFound, message(err)
	case errors.Is(err, worker.ErrExists):
		return http.StatusConflict, message(err)
	case errors.Is(err, worker.ErrFixed):
		return http.StatusConflict, message(err)
	case errors.Is(err, worker.ErrStarting):
		return http.StatusServiceUnavailable, "the worker is starting, try again shortly"
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusInternalServerError, "Request timed out"
	default:
		return http.StatusInternalServerError, err.Error()
	}
}

func message(err error) string { return strings.TrimPrefix(err.Error(), "worker: ") }

// invalid is the message of Kafka Connect, with a line per fault.
func invalid(e *connect.ConfigError) string {
	return fmt.Sprintf("Connector configuration is invalid and contains the following %d error(s):\n%s\n"+
		"You can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`",
		len(e.Faults), e.Error())
}

// decode reads a body that must be one JSON object.
func decode(r *http.Request, into any) error {
	if kind := r.Header.Get("Content-Type"); kind != "" {
		media, _, err := mime.ParseMediaType(kind)
		if err != nil || media != "application/json" {
			return fail(http.StatusUnsupportedMediaType, "HTTP 415 Unsupported Media Type: need application/json, got %s", kind)
		}
	}
	decoder := json.NewDecoder(r.Body)
	if err := decoder.Decode(into); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return err
		}
		return fail(http.StatusBadRequest, "the body must be a JSON object: %v", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return fail(http.StatusBadRequest, "the body must be one JSON object, more follows it")
	}
	return nil
}

// properties are a connector's configuration in a body. Java takes numbers
// and booleans as their text, and so does this; null leaves the property out.
type properties map[string]*string

// UnmarshalJSON reads the object.
func (p *properties) UnmarshalJSON(data []byte) error {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(data, &values); err != nil {
		return err
	}
	if values == nil {
		return nil
	}
	*p = properties{}
	for key, value := range values {
		text := string(value)
		switch text[0] {
		case 'n':
			(*p)[key] = nil
			continue
		case '{', '[':
			return fmt.Errorf("the value of %s is no scalar", strconv.Quote(key))
		case '"':
			if err := json.Unmarshal(value, &text); err != nil {
				return err
			}
		}
		(*p)[key] = &text
	}
	return nil
}

func (p properties) strings() map[string]string {
	out := make(map[string]string, len(p))
	for key, value := range p {
		if value != nil {
			out[key] = *value
		}
	}
	return out
}
