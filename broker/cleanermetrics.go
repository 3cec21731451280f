package broker

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/broker/internal/datadir"
)

// cleanerMetrics are what the cleaner of compacted logs has done since the
// start.
var cleanerMetrics = []struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(datadir.CleanerStats) float64
}{
	{cleanerDesc("millrace_log_cleaner_runs_total", "Runs of the cleaner, of one log each."), prometheus.CounterValue,
		func(s datadir.CleanerStats) float64 { return float64(s.Runs) }},
	{cleanerDesc("millrace_log_cleaner_failures_total", "Runs of the cleaner that ended with an error."), prometheus.CounterValue,
		func(s datadir.CleanerStats) float64 { return float64(s.Failures) }},
	{cleanerDesc("millrace_log_cleaner_read_bytes_total", "Bytes that the cleaner has read."), prometheus.CounterValue,
		func(s datadir.CleanerStats) float64 { return float64(s.Read) }},
	{cleanerDesc("millrace_log_cleaner_written_bytes_total", "Bytes that the cleaner has written."), prometheus.CounterValue,
		func(s datadir.CleanerStats) float64 { return float64(s.Written) }},
	{cleanerDesc("millrace_log_cleaner_reclaimed_bytes_total", "Bytes by which compacted logs have shrunk."), prometheus.CounterValue,
		func(s datadir.CleanerStats) float64 { return float64(s.Reclaimed) }},
	{cleanerDesc("millrace_log_cleaner_dropped_records_total", "Records that compaction has removed."), prometheus.CounterValue,
		func(s datadir.CleanerStats) float64 { return float64(s.Dropped) }},
	{cleanerDesc("millrace_log_cleaner_busy_seconds_total", "Time that the cleaner has worked, in seconds."), prometheus.CounterValue,
		func(s datadir.CleanerStats) float64 { return s.Busy.Seconds() }},
	{cleanerDesc("millrace_log_cleaner_max_dirty_ratio", "Share of uncompacted bytes in the dirtiest log, when the cleaner last looked."), prometheus.GaugeValue,
		func(s datadir.CleanerStats) float64 { return s.MaxDirtyRatio }},
	{cleanerDesc("millrace_log_cleaner_uncleanable_logs", "Logs that the cleaner has given up on, because they are damaged."), prometheus.GaugeValue,
		func(s datadir.CleanerStats) float64 { return float64(s.Uncleanable) }},
}

func cleanerDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, nil, nil)
}

// cleanerCollector reports them when it is asked.
type cleanerCollector struct{ dir *datadir.Dir }

// Describe implements prometheus.Collector.
func (c cleanerCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range cleanerMetrics {
		ch <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (c cleanerCollector) Collect(ch chan<- prometheus.Metric) {
	stats := c.dir.CleanerStats()
	for _, m := range cleanerMetrics {
		ch <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(stats))
	}
}
