package mirrormaker

import (
	"cmp"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/mirrormaker/internal/progress"
)

// Status is the state of one partition of a flow.
type Status struct {
	Flow      string `json:"flow"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// Target is the topic's name at the target.
	Target string `json:"target"`
	// Next is the source offset to copy next: all below it is acked by the
	// target. End is the source's end as last seen.
	Next int64 `json:"next"`
	End  int64 `json:"end"`
	// LagSeconds is the age of the last copied record while others wait.
	LagSeconds float64 `json:"lag_seconds"`
	// Stopped says why the partition does not go on; nil while it does.
	Stopped *Stop `json:"stopped,omitempty"`
}

// Stop is why a partition does not go on: a stable word for the reason, what
// was found and what to do.
type Stop struct {
	Reason  string `json:"reason"`
	Message string `json:"message"`
	Remedy  string `json:"remedy"`
}

// Lag is the number of records at the source that the target has not acked.
func (s Status) Lag() int64 { return max(0, s.End-s.Next) }

// Status returns the state of every partition, ordered by flow, topic and
// partition.
func (m *Mirror) Status() []Status {
	var all []Status
	for _, r := range m.runners {
		all = append(all, r.status(time.Now())...)
	}
	slices.SortFunc(all, func(a, b Status) int {
		return cmp.Or(cmp.Compare(a.Flow, b.Flow), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return all
}

func (r *runner) status(now time.Time) []Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Status, 0, len(r.partitions))
	for _, p := range r.partitions {
		all = append(all, p.status(now, r.flow.Name))
	}
	return all
}

func exported(s *progress.Stop) *Stop {
	if s == nil {
		return nil
	}
	return &Stop{Reason: s.Reason, Message: s.Message, Remedy: s.Remedy}
}

var (
	lagRecords = prometheus.NewDesc("millrace_mirror_lag_records", "Records at the source that the target has not acked.", []string{"flow", "topic"}, nil)
	lagSeconds = prometheus.NewDesc("millrace_mirror_lag_seconds", "Age of the last copied record while others wait, in seconds.", []string{"flow", "topic"}, nil)
	stopped    = prometheus.NewDesc("millrace_mirror_stopped_partitions", "Partitions that do not go on, by reason.", []string{"flow", "reason"}, nil)
)

// Describe and Collect make a Mirror a prometheus.Collector, so whoever runs
// it registers it where its metrics belong.
func (m *Mirror) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{lagRecords, lagSeconds, stopped} {
		ch <- d
	}
}

// Collect reports lag per topic and stopped partitions per reason.
func (m *Mirror) Collect(ch chan<- prometheus.Metric) {
	type pair struct{ flow, name string }
	records, seconds, stops := map[pair]float64{}, map[pair]float64{}, map[pair]float64{}
	for _, s := range m.Status() {
		topic := pair{s.Flow, s.Topic}
		records[topic] += float64(s.Lag())
		seconds[topic] = max(seconds[topic], s.LagSeconds)
		if s.Stopped != nil {
			stops[pair{s.Flow, s.Stopped.Reason}]++
		}
	}
	for desc, values := range map[*prometheus.Desc]map[pair]float64{lagRecords: records, lagSeconds: seconds, stopped: stops} {
		for key, v := range values {
			ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, key.flow, key.name)
		}
	}
}
