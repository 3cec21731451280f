package worker

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/streams/internal/task"
)

// Metrics are what an application shows. All its workers share one.
type Metrics struct {
	Processed *prometheus.CounterVec
	Commits   prometheus.Histogram
	Restored  prometheus.Counter
	Rebuilt   prometheus.Counter
	nodes     *nodeCollector
}

// NewMetrics makes the metrics of an application and registers them, unless r
// is nil.
func NewMetrics(r prometheus.Registerer, appID string, counters *task.Counters) (*Metrics, error) {
	labels := prometheus.Labels{"app": appID}
	m := &Metrics{
		Processed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "millrace_streams_processed_total", Help: "Records processed, by subtopology.", ConstLabels: labels,
		}, []string{"subtopology"}),
		Commits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "millrace_streams_commit_seconds", Help: "Duration of commits, from changelogs to stores.", ConstLabels: labels,
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 8),
		}),
		Restored: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "millrace_streams_restored_total", Help: "Changelog records applied by restores.", ConstLabels: labels,
		}),
		Rebuilt: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "millrace_streams_rebuilt_total", Help: "State databases that were damaged or in doubt and came back from changelogs.", ConstLabels: labels,
		}),
		nodes: newNodeCollector(labels, counters),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.Processed, m.Commits, m.Restored, m.Rebuilt, m.nodes} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *Metrics) processed(sub, n int) {
	if n > 0 {
		m.Processed.WithLabelValues(strconv.Itoa(sub)).Add(float64(n))
	}
}

func (m *Metrics) committed(took time.Duration) { m.Commits.Observe(took.Seconds()) }

func (m *Metrics) restored(n int) { m.Restored.Add(float64(n)) }

// nodeCollector shows the counters of nodes, which exist only once something
// was counted.
type nodeCollector struct {
	counters *task.Counters
	dropped  *prometheus.Desc
	lateness *prometheus.Desc
}

func newNodeCollector(labels prometheus.Labels, counters *task.Counters) *nodeCollector {
	return &nodeCollector{
		counters: counters,
		dropped:  prometheus.NewDesc("millrace_streams_dropped_total", "Records that did not become a result, by node and reason.", []string{"node", "reason"}, labels),
		lateness: prometheus.NewDesc("millrace_streams_max_lateness_seconds", "How late the latest record of a node was.", []string{"node"}, labels),
	}
}

// Describe implements prometheus.Collector.
func (c *nodeCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.dropped
	ch <- c.lateness
}

// Collect implements prometheus.Collector.
func (c *nodeCollector) Collect(ch chan<- prometheus.Metric) {
	for node, n := range c.counters.Snapshot() {
		for reason, count := range map[string]int64{
			"null_key": n.NullKeys, "null_value": n.NullValues, "late": n.Late,
			"dead_letter": n.DeadLetters, "skipped": n.Skipped,
		} {
			if count > 0 {
				ch <- prometheus.MustNewConstMetric(c.dropped, prometheus.CounterValue, float64(count), node, reason)
			}
		}
		if n.Late > 0 {
			ch <- prometheus.MustNewConstMetric(c.lateness, prometheus.GaugeValue, n.MaxLateness.Seconds(), node)
		}
	}
}
