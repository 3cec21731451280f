package registry

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the registry's; nil means none.
type metrics struct{ requests *prometheus.HistogramVec }

func newMetrics(registerer prometheus.Registerer, schemas func() float64) (*metrics, error) {
	if registerer == nil {
		return nil, nil
	}
	m := &metrics{requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "millrace_registry_request_seconds",
		Help:    "Time from request to reply of the schema registry, by route and HTTP status.",
		Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9),
	}, []string{"route", "status"})}
	if err := registerer.Register(m.requests); err != nil {
		return nil, err
	}
	return m, registerer.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "millrace_registry_schemas",
		Help: "Schemas (ids) that the registry holds.",
	}, schemas))
}

func (m *metrics) observe(route string, status int, took time.Duration) {
	if m != nil {
		m.requests.WithLabelValues(route, strconv.Itoa(status)).Observe(took.Seconds())
	}
}

// statusWriter remembers the status of a reply.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
