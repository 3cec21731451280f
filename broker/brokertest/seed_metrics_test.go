package brokertest_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/broker/brokertest"
)

// seedMetrics: what every Kafka user looks at: rates and sizes per topic, the
// lag of groups per partition in records and in seconds, latency per API.
func seedMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	b := brokertest.Start(t, brokertest.Metrics(registry), brokertest.Topic("orders", 2))
	client := b.Kgo(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()))
	begin := time.Now().Add(-time.Hour).Truncate(time.Second)
	for i := range 10 { // one batch each, a minute apart, all to partition 1
		r := &kgo.Record{Topic: "orders", Partition: 1, Value: make([]byte, 1000), Timestamp: begin.Add(time.Duration(i) * time.Minute)}
		if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	reader := b.Kgo(kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit())
	for read := 0; read < 10; {
		fetches := reader.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		read += fetches.NumRecords()
	}
	commit := map[string]map[int32]kgo.EpochOffset{"orders": {0: {Epoch: -1}, 1: {Epoch: -1, Offset: 4}}}
	reader.CommitOffsetsSync(t.Context(), commit, nil)

	m := gather(t, registry)
	topic, lag := labels{"topic": "orders"}, labels{"group": "billing", "topic": "orders"}
	first, second := labels{"group": "billing", "topic": "orders", "partition": "0"}, labels{"group": "billing", "topic": "orders", "partition": "1"}
	m.is("millrace_records_in_total", topic, 10)
	m.between("millrace_topic_bytes_in_total", topic, 10_000, 12_000)
	m.between("millrace_topic_bytes_out_total", topic, 10_000, 12_000)
	m.between("millrace_log_bytes", topic, 10_000, 12_000)
	m.is("millrace_log_end_offset", topic, 10)
	m.is("millrace_partition_end_offset", labels{"topic": "orders", "partition": "0"}, 0)
	m.is("millrace_partition_end_offset", labels{"topic": "orders", "partition": "1"}, 10)
	m.is("millrace_partition_start_offset", labels{"topic": "orders", "partition": "1"}, 0)
	m.is("millrace_group_members", labels{"group": "billing", "state": "Stable"}, 1)
	m.is("millrace_group_committed_offset", second, 4)
	m.is("millrace_group_partition_lag_records", first, 0)
	m.is("millrace_group_partition_lag_seconds", first, 0)
	m.is("millrace_group_partition_lag_records", second, 6)
	m.is("millrace_group_partition_lag_seconds", second, 300) // from minute 4 to minute 9
	m.is("millrace_group_lag_records", lag, 6)
	m.is("millrace_group_lag_seconds", lag, 300)
	m.between("millrace_request_seconds", labels{"api": "Produce"}, 10, 10)
	m.between("millrace_flush_seconds", labels{}, 10, 1000)
	m.between("millrace_bytes_in_total", labels{"api": "Produce"}, 10_000, 13_000)

	reader.CommitOffsetsSync(t.Context(), map[string]map[int32]kgo.EpochOffset{"orders": {1: {Epoch: -1, Offset: 10}}}, nil)
	m = gather(t, registry)
	m.is("millrace_group_lag_records", lag, 0)
	m.is("millrace_group_lag_seconds", lag, 0)
}

type labels map[string]string

// metrics are what a scrape shows: histograms by their count.
type metrics struct {
	t      *testing.T
	series map[string][]point
}

type point struct {
	labels labels
	value  float64
}

func gather(t *testing.T, registry *prometheus.Registry) metrics {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	m := metrics{t: t, series: map[string][]point{}}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			p := point{labels: labels{}}
			for _, l := range metric.GetLabel() {
				p.labels[l.GetName()] = l.GetValue()
			}
			// Of the three only one is there.
			p.value = metric.GetGauge().GetValue() + metric.GetCounter().GetValue() + float64(metric.GetHistogram().GetSampleCount())
			m.series[family.GetName()] = append(m.series[family.GetName()], p)
		}
	}
	return m
}

func (m metrics) is(name string, of labels, want float64) {
	m.t.Helper()
	m.between(name, of, want, want)
}

func (m metrics) between(name string, of labels, least, most float64) {
	m.t.Helper()
next:
	for _, p := range m.series[name] {
		for k, v := range of {
			if p.labels[k] != v {
				continue next
			}
		}
		if p.value < least || p.value > most {
			m.t.Errorf("%s%v is %v, expected %v to %v", name, of, p.value, least, most)
		}
		return
	}
	m.t.Errorf("no %s%v among %v", name, of, m.series[name])
}
