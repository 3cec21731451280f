package node

import (
	"encoding/json"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/http/pprof"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// parts knows which parts there are and which of them are ready.
type parts struct {
	mu       sync.Mutex
	checks   map[string]func() bool
	draining bool
}

func newParts() *parts { return &parts{checks: map[string]func() bool{}} }

func (p *parts) add(name string, check func() bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.checks[name] = check
}

// drain makes the process unready before it ends.
func (p *parts) drain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.draining = true
}

func (p *parts) states() map[string]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	states := make(map[string]bool, len(p.checks))
	for name, check := range p.checks {
		states[name] = check() && !p.draining
	}
	return states
}

func (p *parts) waiting() []string {
	var names []string
	states := p.states()
	for _, name := range slices.Sorted(maps.Keys(states)) {
		if !states[name] {
			names = append(names, name)
		}
	}
	return names
}

func (p *parts) ready() bool { return len(p.waiting()) == 0 }

// ready turns a channel that is closed once into a check.
func ready(c <-chan struct{}) func() bool {
	return func() bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
}

// Bounds on the connections of an HTTP part.
const headerTimeout, idleTimeout = 10 * time.Second, 2 * time.Minute

// serve runs an HTTP part on a socket; nil has no server.
func (n *Node) serve(part string, socket net.Listener, handler http.Handler) {
	if socket == nil {
		return
	}
	s := &http.Server{Handler: handler, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout}
	n.http = append(n.http, s)
	n.run(part, func() error {
		if err := s.Serve(socket); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
}

// serveAdmin answers before any other part is started, so that a node that
// recovers a large directory is alive but not ready.
func (n *Node) serveAdmin(socket net.Listener) {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(n.metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", n.readyz)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	n.serve("admin", socket, mux)
}

func (n *Node) readyz(w http.ResponseWriter, r *http.Request) {
	states := n.parts.states()
	status := http.StatusOK
	if slices.Contains(slices.Collect(maps.Values(states)), false) {
		status = http.StatusServiceUnavailable
	}
	if !r.URL.Query().Has("verbose") {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(http.StatusText(status) + "\n"))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct {
		Ready bool            `json:"ready"`
		Parts map[string]bool `json:"parts"`
	}{status == http.StatusOK, states})
}
