package broker

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/broker/internal/coordinator"
	"github.com/millrace-io/millrace/broker/internal/replica"
)

var (
	groupLag     = prometheus.NewDesc("millrace_group_lag_records", "Records that a group has not committed yet, by topic.", []string{"group", "topic"}, nil)
	groupBehind  = prometheus.NewDesc("millrace_group_lag_seconds", "Time between the record that a group reads next and the newest one: the most of a topic's partitions, 0 when nothing is behind.", []string{"group", "topic"}, nil)
	partLag      = prometheus.NewDesc("millrace_group_partition_lag_records", "Records of a partition that a group has not committed yet.", []string{"group", "topic", "partition"}, nil)
	partBehind   = prometheus.NewDesc("millrace_group_partition_lag_seconds", "The same as time between records, for one partition.", []string{"group", "topic", "partition"}, nil)
	partOffset   = prometheus.NewDesc("millrace_group_committed_offset", "Offset that a group has committed.", []string{"group", "topic", "partition"}, nil)
	groupMembers = prometheus.NewDesc("millrace_group_members", "Members of a group, by the group's state.", []string{"group", "state"}, nil)
)

// groupCollector reports the groups that this broker coordinates. Their lag is
// known for the partitions that have a replica here.
type groupCollector struct {
	replicas *replica.Set
	groups   *coordinator.Groups
}

// Describe implements prometheus.Collector.
func (c groupCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{groupLag, groupBehind, partLag, partBehind, partOffset, groupMembers} {
		ch <- d
	}
}

type groupTopic struct{ group, topic string }

// Collect implements prometheus.Collector.
func (c groupCollector) Collect(ch chan<- prometheus.Metric) {
	for _, g := range c.groups.Sizes() {
		gauge(ch, groupMembers, float64(g.Members), g.Group, g.State)
	}
	records, behind := map[groupTopic]int64{}, map[groupTopic]time.Duration{}
	for _, at := range c.groups.Positions() {
		index := strconv.Itoa(int(at.Partition))
		gauge(ch, partOffset, float64(at.Offset), at.Group, at.Topic, index)
		p, ok := c.replicas.Partition(at.Topic, at.Partition)
		if !ok {
			continue
		}
		lag, err := p.Lag(at.Offset)
		if err != nil { // being deleted or closed: the next scrape knows more
			continue
		}
		gauge(ch, partLag, float64(lag.Records), at.Group, at.Topic, index)
		gauge(ch, partBehind, lag.Time.Seconds(), at.Group, at.Topic, index)
		key := groupTopic{at.Group, at.Topic}
		records[key] += lag.Records
		behind[key] = max(behind[key], lag.Time)
	}
	for key := range records {
		gauge(ch, groupLag, float64(records[key]), key.group, key.topic)
		gauge(ch, groupBehind, behind[key].Seconds(), key.group, key.topic)
	}
}
