package kafkaconf

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var scopes = []Scope{TopicScope, BrokerScope, GroupScope}

// A row that contradicts itself would be served to every client: names must
// be unique, defaults valid, and synonyms must exist with the same type.
func TestTableIsConsistent(t *testing.T) {
	for _, tables := range [][][]Key{{topicKeys}, brokerTables, groupTables} {
		seen := map[string]bool{}
		for _, table := range tables {
			for i := range table {
				k := &table[i]
				if seen[k.Name] {
					t.Errorf("%s occurs twice", k.Name)
				}
				seen[k.Name] = true
				if k.Doc == "" {
					t.Errorf("%s has no documentation", k.Name)
				}
				if !k.NoDefault {
					if _, err := k.Parse(k.Default); err != nil {
						t.Errorf("default: %v", err)
					}
				}
			}
		}
	}
}

func TestSynonymsExistAndAgree(t *testing.T) {
	for _, s := range scopes {
		for _, k := range Keys(s) {
			for _, syn := range k.Synonyms {
				b, ok := Lookup(BrokerScope, syn.Name)
				switch {
				case !ok:
					t.Errorf("%s: no broker config %s", k.Name, syn.Name)
				case syn.Unit == 1 && b.Type != k.Type:
					t.Errorf("%s is a %s and its synonym %s a %s", k.Name, k.Type, syn.Name, b.Type)
				}
			}
			if e := (Layers{}).resolve(s, k); e.Null != k.NoDefault || e.Value != k.Default {
				t.Errorf("%s resolves to %q where nothing is set, its own default is %q", k.Name, e.Value, k.Default)
			}
		}
	}
}

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		scope      Scope
		name, text string
		want       string // "" for valid
	}{
		{TopicScope, "retention.ms", "-1", ""},
		{TopicScope, "retention.ms", " 60000 ", ""},
		{TopicScope, "retention.ms", "-2", `invalid value "-2" for config retention.ms: valid is at least -1`},
		{TopicScope, "retention.ms", "7d", `invalid value "7d" for config retention.ms: expected a number of type LONG`},
		{TopicScope, "segment.bytes", "2147483648", `invalid value "2147483648" for config segment.bytes: expected a number of type INT`},
		{TopicScope, "cleanup.policy", "compact, delete", ""},
		{TopicScope, "cleanup.policy", "", ""},
		{TopicScope, "cleanup.policy", "compact,compact", `invalid value "compact,compact" for config cleanup.policy: valid is a list of compact, delete, each at most once`},
		{TopicScope, "cleanup.policy", "shred", `invalid value "shred" for config cleanup.policy: valid is a list of compact, delete, each at most once`},
		{TopicScope, "compression.gzip.level", "0", `invalid value "0" for config compression.gzip.level: valid is -1, or 1 to 9`},
		{TopicScope, "compression.gzip.level", "-1", ""},
		{TopicScope, "durability", "maybe", `invalid value "maybe" for config durability: valid is one of fsync, pagecache`},
		{TopicScope, "preallocate", "TRUE", ""},
		{TopicScope, "preallocate", "yes", `invalid value "yes" for config preallocate: expected true or false`},
		{TopicScope, "min.cleanable.dirty.ratio", "NaN", `invalid value "NaN" for config min.cleanable.dirty.ratio: expected a finite number`},
		{TopicScope, "min.cleanable.dirty.ratio", "1.5", `invalid value "1.5" for config min.cleanable.dirty.ratio: valid is 0 to 1`},
		{TopicScope, "remote.storage.enable", "true", `invalid value "true" for config remote.storage.enable: valid is false only: this broker has no tiered storage`},
		{TopicScope, "leader.replication.throttled.replicas", "0:1,1:2", ""},
		{TopicScope, "leader.replication.throttled.replicas", "*", ""},
		{TopicScope, "leader.replication.throttled.replicas", "0-1", `invalid value "0-1" for config leader.replication.throttled.replicas: valid is [partition]:[broker],[partition]:[broker],... or *`},
		{BrokerScope, "offsets.topic.replication.factor", "40000", `invalid value "40000" for config offsets.topic.replication.factor: expected a number of type SHORT`},
	} {
		k, ok := Lookup(tc.scope, tc.name)
		if !ok {
			t.Fatalf("no config %s", tc.name)
		}
		_, err := k.Parse(tc.text)
		if got := text(err); got != tc.want {
			t.Errorf("%s=%s:\n got %s\nwant %s", tc.name, tc.text, got, tc.want)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Everything that is wrong is said at once, with the nearest name.
func TestValidateReportsAll(t *testing.T) {
	err := Validate(TopicScope, map[string]string{
		"retentoin.ms": "1", "segment.ms": "0", "zzz": "1", "max.message.bytes": "5",
	})
	var errs Errors
	if !errors.As(err, &errs) {
		t.Fatalf("got %v", err)
	}
	want := Errors{
		{Name: "retentoin.ms", Unknown: true, Problem: "there is no topic config of this name; did you mean retention.ms?"},
		{Name: "segment.ms", Value: "0", Problem: "valid is at least 1"},
		{Name: "zzz", Unknown: true, Problem: "there is no topic config of this name"},
	}
	if diff := cmp.Diff(want, errs); diff != "" {
		t.Error(diff)
	}
	if err := Validate(TopicScope, map[string]string{"min.compaction.lag.ms": "10", "max.compaction.lag.ms": "5"}); err == nil {
		t.Error("a smallest lag above the largest was accepted")
	}
	if err := Validate(BrokerScope, map[string]string{"num.partitions": "3"}); err != nil {
		t.Error(err)
	}
}

func TestListOperations(t *testing.T) {
	for _, tc := range []struct{ got, want string }{
		{Append("delete", "compact"), "delete,compact"},
		{Append("", "a"), "a"},
		{Append("a,b", "b,c,c"), "a,b,c"},
		{Subtract("a,b,c", "b,x"), "a,c"},
		{Subtract("a", "a"), ""},
	} {
		if tc.got != tc.want {
			t.Errorf("got %q, want %q", tc.got, tc.want)
		}
	}
}

// DescribeConfigs shows where a value comes from: topic, this broker, every
// broker, static, default, in this order.
func TestResolveOrder(t *testing.T) {
	l := Layers{
		Topic:   map[string]string{"retention.ms": "1"},
		Broker:  map[string]string{"log.retention.ms": "2"},
		Cluster: map[string]string{"log.retention.ms": "3"},
		Static:  map[string]string{"log.retention.hours": "4", "log.retention.minutes": "5"},
	}
	all := []Setting{
		{"retention.ms", "1", FromTopic},
		{"log.retention.ms", "2", FromBroker},
		{"log.retention.ms", "3", FromCluster},
		{"log.retention.minutes", "5", FromStatic},
		{"log.retention.hours", "4", FromStatic},
		{"log.retention.hours", "168", FromDefault},
	}
	values := []string{"1", "2", "3", "300000"}
	drop := []func(){
		func() { l.Topic = nil }, func() { l.Broker = nil }, func() { l.Cluster = nil },
		func() { l.Static = nil },
	}
	for i, value := range values {
		e, _ := l.Resolve(TopicScope, "retention.ms")
		if e.Value != value || e.Source != all[i].Source {
			t.Errorf("value %q from %d, want %q from %d", e.Value, e.Source, value, all[i].Source)
		}
		if diff := cmp.Diff(all[i:], e.Synonyms); diff != "" {
			t.Error(diff)
		}
		drop[i]()
	}
	e, _ := l.Resolve(TopicScope, "retention.ms")
	if e.Value != "604800000" || e.Source != FromDefault {
		t.Errorf("default is %q from %d", e.Value, e.Source)
	}
	if _, ok := l.Resolve(TopicScope, "no.such"); ok {
		t.Error("resolved a config that is not in the table")
	}
}

func TestTopicDefaults(t *testing.T) {
	got := Layers{}.TopicConfig()
	want := Topic{
		Log: TopicLog{
			SegmentBytes: 1 << 30, SegmentAge: 7 * 24 * time.Hour, IndexInterval: 4096, IndexBytes: 10 << 20,
			RetentionAge: 7 * 24 * time.Hour, RetentionBytes: -1, DeleteDelay: time.Minute,
		},
		Delete:          true,
		Clean:           TopicCleaning{MinDirtyRatio: 0.5, MaxLag: math.MaxInt64, DeleteRetention: 24 * time.Hour},
		Timestamp:       TopicTimestamps{BeforeMax: math.MaxInt64, AfterMax: time.Hour},
		MaxMessageBytes: 1048588, MinInsync: 1,
		Compression:   TopicCompression{Type: "producer", GzipLevel: -1, LZ4Level: 9, ZstdLevel: 3},
		FlushMessages: math.MaxInt64, FlushAge: math.MaxInt64,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTopicFollowsWhatIsSet(t *testing.T) {
	got := Layers{
		Topic:    map[string]string{"cleanup.policy": "compact", "durability": "pagecache", "internal.segment.bytes": "100", "segment.ms": "not a number"},
		Static:   map[string]string{"log.retention.hours": "-1", "log.roll.hours": "1"},
		Replicas: 3,
	}.TopicConfig()
	if !got.Compact || got.Delete || !got.PageCache || got.Log.SegmentBytes != 100 {
		t.Errorf("topic's own configs are not followed: %+v", got)
	}
	if got.Log.RetentionAge >= 0 {
		t.Errorf("retention of -1 hours gives %v", got.Log.RetentionAge)
	}
	if got.Log.SegmentAge != 7*24*time.Hour {
		t.Errorf("a stored value that cannot be read must count as the default, got %v", got.Log.SegmentAge)
	}
	if got.MinInsync != 2 {
		t.Errorf("min.insync.replicas of a topic with three replicas is %d, want 2", got.MinInsync)
	}
}

// The names in the resolving code are in the table: a missing one panics here
// and not in a broker.
func TestEveryResolvedNameExists(t *testing.T) {
	if g := (Layers{Static: map[string]string{"group.initial.rebalance.delay.ms": "0"}}).GroupConfig(); g.InitialRebalanceDelay != 0 || g.OffsetsPartitions != 50 {
		t.Errorf("groups: %+v", g)
	}
	if s := (Layers{}).StorageConfig(); s.RetentionInterval != 5*time.Minute || s.CleanerBackoff != 15*time.Second || s.CleanerKeyBytes != 128<<20 || s.CleanerBytesPerSecond != 0 {
		t.Errorf("storage: %+v", s)
	}
	if s := (Layers{}).ServerConfig(); s.RequestMaxBytes != 100<<20 || s.ConnectionsMaxIdle != 10*time.Minute {
		t.Errorf("server: %+v", s)
	}
}
