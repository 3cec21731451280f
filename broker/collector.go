package broker

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/broker/internal/replica"
)

var (
	partitions = prometheus.NewDesc("millrace_partitions", "Partitions with a replica here, by state.", []string{"state"}, nil)

	recordsIn = prometheus.NewDesc("millrace_records_in_total", "Records appended to a topic since the broker started.", []string{"topic"}, nil)
	topicIn   = prometheus.NewDesc("millrace_topic_bytes_in_total", "Bytes of batches appended to a topic since the broker started.", []string{"topic"}, nil)
	topicOut  = prometheus.NewDesc("millrace_topic_bytes_out_total", "Bytes of batches that readers of a topic were given since the broker started.", []string{"topic"}, nil)
	logBytes  = prometheus.NewDesc("millrace_log_bytes", "Size of a topic's logs on this broker, in bytes.", []string{"topic"}, nil)
	logEnd    = prometheus.NewDesc("millrace_log_end_offset", "Sum of the high watermarks of a topic's partitions.", []string{"topic"}, nil)

	partitionStart = prometheus.NewDesc("millrace_partition_start_offset", "First offset that can be read.", []string{"topic", "partition"}, nil)
	partitionEnd   = prometheus.NewDesc("millrace_partition_end_offset", "High watermark: the offset below which everything is committed.", []string{"topic", "partition"}, nil)
	partitionBytes = prometheus.NewDesc("millrace_partition_bytes", "Size of a partition's log on this broker, in bytes.", []string{"topic", "partition"}, nil)
	quarantined    = prometheus.NewDesc("millrace_quarantined_files", "Files that the last recovery saved because valid batches lay behind damage.", []string{"topic", "partition"}, nil)
)

// collector reports what is measured when it is asked for: what went through
// partitions and what they hold. The broker's own topics are among them.
type collector struct {
	replicas *replica.Set
}

// Describe implements prometheus.Collector.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		partitions, recordsIn, topicIn, topicOut, logBytes, logEnd, partitionStart, partitionEnd, partitionBytes, quarantined,
	} {
		ch <- d
	}
}

// topicSum is what a topic's partitions come to.
type topicSum struct {
	replica.Counts
	size, end int64
}

// Collect implements prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	sums := map[string]*topicSum{}
	var leads, others float64
	for p := range c.replicas.All() {
		if sums[p.Topic()] == nil {
			sums[p.Topic()] = &topicSum{}
		}
		sums[p.Topic()].add(p)
		if p.Leads() {
			leads++
		} else {
			others++
		}
		collectPartition(ch, p)
	}
	gauge(ch, partitions, leads, "leader")
	gauge(ch, partitions, others, "not_leader")
	for topic, sum := range sums {
		counter(ch, recordsIn, sum.RecordsIn, topic)
		counter(ch, topicIn, sum.BytesIn, topic)
		counter(ch, topicOut, sum.BytesOut, topic)
		gauge(ch, logBytes, float64(sum.size), topic)
		gauge(ch, logEnd, float64(sum.end), topic)
	}
}

func (s *topicSum) add(p *replica.Partition) {
	counts := p.Counts()
	s.RecordsIn += counts.RecordsIn
	s.BytesIn += counts.BytesIn
	s.BytesOut += counts.BytesOut
	s.size += p.Size()
	s.end += p.HighWatermark()
}

func collectPartition(ch chan<- prometheus.Metric, p *replica.Partition) {
	index := strconv.Itoa(int(p.Index()))
	gauge(ch, partitionStart, float64(p.LogStart()), p.Topic(), index)
	gauge(ch, partitionEnd, float64(p.HighWatermark()), p.Topic(), index)
	gauge(ch, partitionBytes, float64(p.Size()), p.Topic(), index)
	if saved := len(p.Recovery().Quarantined); saved > 0 {
		gauge(ch, quarantined, float64(saved), p.Topic(), index)
	}
}

func gauge(ch chan<- prometheus.Metric, d *prometheus.Desc, v float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func counter(ch chan<- prometheus.Metric, d *prometheus.Desc, v int64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
}
