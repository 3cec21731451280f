package broker

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/api"
	"github.com/millrace-io/millrace/broker/internal/server"
)

// metrics are what the broker counts while it serves. What partitions hold and
// how far groups are behind is taken when it is asked for, by collector and
// groupCollector.
type metrics struct {
	requests    *prometheus.HistogramVec
	failures    *prometheus.CounterVec
	bytesIn     *prometheus.CounterVec
	bytesOut    *prometheus.CounterVec
	connections *prometheus.GaugeVec
	refused     *prometheus.CounterVec
	flushes     prometheus.Histogram

	// byKey holds the series of each API, so that a request looks nothing up
	// by its name.
	byKey [256]apiSeries
}

type apiSeries struct {
	seconds prometheus.Observer
	in, out prometheus.Counter
}

func newMetrics() *metrics {
	m := &metrics{
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "millrace_request_seconds", Help: "Time from a request's last byte until its reply was encoded, by API, in seconds.",
			Buckets: prometheus.ExponentialBuckets(0.00005, 4, 10),
		}, []string{"api"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "millrace_request_errors_total", Help: "Error codes in replies, by API.",
		}, []string{"api", "error"}),
		bytesIn: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "millrace_bytes_in_total", Help: "Bytes of requests, by API.",
		}, []string{"api"}),
		bytesOut: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "millrace_bytes_out_total", Help: "Bytes of replies, by API.",
		}, []string{"api"}),
		connections: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "millrace_connections", Help: "Open connections, by listener.",
		}, []string{"listener"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "millrace_connections_refused_total", Help: "Connections that the broker ended, by reason.",
		}, []string{"reason"}),
		flushes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "millrace_flush_seconds", Help: "Duration of syncs of the data directory, which acks wait for, in seconds.",
			Buckets: prometheus.ExponentialBuckets(0.00005, 4, 10),
		}),
	}
	for _, a := range api.Table() {
		name := a.Name()
		m.byKey[a.Key] = apiSeries{m.requests.WithLabelValues(name), m.bytesIn.WithLabelValues(name), m.bytesOut.WithLabelValues(name)}
	}
	return m
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.requests, m.failures, m.bytesIn, m.bytesOut, m.connections, m.refused, m.flushes}
}

// flushed counts a sync.
func (m *metrics) flushed(took time.Duration) { m.flushes.Observe(took.Seconds()) }

// server gives the connections what they report to.
func (m *metrics) server() server.Metrics {
	return server.Metrics{
		Opened:  func(listener string) { m.connections.WithLabelValues(listener).Inc() },
		Closed:  func(listener string) { m.connections.WithLabelValues(listener).Dec() },
		Refused: func(r server.Reason) { m.refused.WithLabelValues(string(r)).Inc() },
		Request: func(key int16, bytes int) {
			if s := m.series(key); s != nil {
				s.in.Add(float64(bytes))
			}
		},
		Replied: func(key int16, bytes int, took time.Duration) {
			if s := m.series(key); s != nil {
				s.out.Add(float64(bytes))
				s.seconds.Observe(took.Seconds())
			}
		},
		Failed: func(key, code int16) {
			m.failures.WithLabelValues(kmsg.NameForKey(key), errorName(code)).Inc()
		},
	}
}

func (m *metrics) series(key int16) *apiSeries {
	if key < 0 || int(key) >= len(m.byKey) || m.byKey[key].seconds == nil {
		return nil
	}
	return &m.byKey[key]
}

func errorName(code int16) string {
	if e := kerr.TypedErrorForCode(code); e != nil {
		return e.Message
	}
	return strconv.Itoa(int(code))
}
