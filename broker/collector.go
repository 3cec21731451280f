package broker

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/broker/internal/coordinator"
	"github.com/millrace-io/millrace/broker/internal/replica"
)

var (
	logBytes   = prometheus.NewDesc("millrace_log_bytes", "Size of a topic's logs on this broker, in bytes.", []string{"topic"}, nil)
	logRecords = prometheus.NewDesc("millrace_log_end_offset", "Sum of the high watermarks of a topic's partitions.", []string{"topic"}, nil)
	partitions = prometheus.NewDesc("millrace_partitions", "Partitions with a replica here, by state.", []string{"state"}, nil)
	groupLag   = prometheus.NewDesc("millrace_group_lag_records", "Records that a group has not committed yet, by topic.", []string{"group", "topic"}, nil)
)

// collector reports what is measured when it is asked for: log sizes and the
// lag of the groups that this broker coordinates.
type collector struct {
	replicas *replica.Set
	groups   *coordinator.Groups
}

// Describe implements prometheus.Collector.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{logBytes, logRecords, partitions, groupLag} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	sizes, ends := map[string]int64{}, map[string]int64{}
	var leads, offline float64
	for p := range c.replicas.All() {
		sizes[p.Topic()] += p.Size()
		ends[p.Topic()] += p.HighWatermark()
		if p.Leads() {
			leads++
		} else {
			offline++
		}
	}
	for topic, size := range sizes {
		gauge(logBytes, float64(size), topic)
		gauge(logRecords, float64(ends[topic]), topic)
	}
	gauge(partitions, leads, "leader")
	gauge(partitions, offline, "not_leader")
	for key, lag := range c.lags() {
		gauge(groupLag, float64(lag), key.group, key.topic)
	}
}

type groupTopic struct{ group, topic string }

// lags sums, over partitions that are led here, what lies behind each commit.
func (c collector) lags() map[groupTopic]int64 {
	lags := map[groupTopic]int64{}
	for _, position := range c.groups.Positions() {
		if p, ok := c.replicas.Partition(position.Topic, position.Partition); ok {
			lags[groupTopic{position.Group, position.Topic}] += max(0, p.HighWatermark()-position.Offset)
		}
	}
	return lags
}
