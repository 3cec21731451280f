package kafkaconf

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/configs.md anew")

const configsPage = "../../docs/configs.md"

// Who sets a config reads docs/configs.md; it must say what the table says.
func TestConfigsPage(t *testing.T) {
	want := page()
	if *update {
		if err := os.WriteFile(configsPage, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(configsPage)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Errorf("%s is not what the table gives: run go test ./internal/kafkaconf -run TestConfigsPage -update", configsPage)
	}
}

func page() []byte {
	var b bytes.Buffer
	b.WriteString(`# Configs

Every config of a topic, a broker and a group, by Kafka's names. This page is
made from the table in ` + "`internal/kafkaconf`" + `, by which requests are checked and
which DescribeConfigs shows; to make it again:

` + "```sh\ngo test ./internal/kafkaconf -run TestConfigsPage -update\n```" + `

A topic config without a value of its own takes that of the broker configs under
"falls back to", the first that is set. "Update" says how a broker config may
change while the broker runs: per-broker and cluster-wide ones by
IncrementalAlterConfigs, the second also for all brokers at once; read-only ones
with a restart. "-" stands for no default.
`)
	for _, s := range []struct {
		scope Scope
		title string
	}{{TopicScope, "Topics"}, {BrokerScope, "Brokers"}, {GroupScope, "Groups"}} {
		fmt.Fprintf(&b, "\n## %s\n\n", s.title)
		writeKeys(&b, s.scope, false)
		fmt.Fprintf(&b, "\n### %s: without effect here\n\nThese are Kafka's too. They are listed, and accepted where the value promises\nnothing that is not there.\n\n", s.title)
		writeKeys(&b, s.scope, true)
	}
	return b.Bytes()
}

// writeKeys writes the rows of a scope that have an effect here, or those that
// have none.
func writeKeys(b *bytes.Buffer, s Scope, unused bool) {
	last := map[Scope]string{TopicScope: "falls back to", BrokerScope: "update", GroupScope: "falls back to"}[s]
	fmt.Fprintf(b, "| config | type | default | valid | %s | |\n|---|---|---|---|---|---|\n", last)
	for _, k := range Keys(s) {
		if k.NoEffect != unused || k.Hidden {
			continue
		}
		value, valid := "`"+k.Default+"`", ""
		switch {
		case k.NoDefault:
			value = "-"
		case k.Default == "":
			value = "empty"
		}
		if k.Valid != nil {
			valid = k.Valid.String()
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s | %s |\n", k.Name, k.Type, value, cell(valid), where(s, k), cell(k.Doc))
	}
}

func where(s Scope, k *Key) string {
	if s == BrokerScope {
		return k.Update.String()
	}
	var names []string
	for _, syn := range k.Synonyms {
		names = append(names, "`"+syn.Name+"`")
	}
	return strings.Join(names, ", ")
}

func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "[", `\[`).Replace(text)
}

// A value that would promise what is not there is refused with the reason, and
// the default, which an operator may have written down, is not.
func TestFixedConfigsAreRefused(t *testing.T) {
	for name, value := range map[string]string{
		"ssl.client.auth": "required", "ssl.keystore.password": "secret", "remote.log.storage.system.enable": "true",
		"create.topic.policy.class.name": "com.example.Policy", "transaction.two.phase.commit.enable": "true",
	} {
		k, ok := Lookup(BrokerScope, name)
		if !ok {
			t.Errorf("there is no %s", name)
			continue
		}
		if _, err := k.Parse(value); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%s: %v", name, value, err)
		}
		if !k.NoDefault {
			if _, err := k.Parse(k.Default); err != nil {
				t.Error(err)
			}
		}
	}
}

// Every name that a broker of Kafka 4 has is known here: tools copy them.
func TestKafkasNamesAreKnown(t *testing.T) {
	names := `advertised.listeners auto.create.topics.enable auto.leader.rebalance.enable background.threads broker.rack
		compression.type controlled.shutdown.enable controller.quorum.voters default.replication.factor delete.topic.enable
		fetch.max.bytes group.consumer.assignors group.coordinator.threads group.max.size group.share.session.timeout.ms
		inter.broker.listener.name leader.imbalance.check.interval.seconds listeners log.cleaner.threads log.dirs log.retention.hours
		max.connections.per.ip.overrides message.max.bytes metadata.log.segment.bytes metric.reporters min.insync.replicas node.id
		num.io.threads num.partitions num.recovery.threads.per.data.dir offsets.topic.num.partitions principal.builder.class
		process.roles producer.id.expiration.ms queued.max.requests quota.window.num remote.log.storage.system.enable
		replica.lag.time.max.ms replica.selector.class request.timeout.ms sasl.enabled.mechanisms security.inter.broker.protocol
		socket.request.max.bytes ssl.keystore.location telemetry.max.bytes transaction.max.timeout.ms transactional.id.expiration.ms
		unclean.leader.election.enable`
	for name := range strings.FieldsSeq(names) {
		if _, ok := Lookup(BrokerScope, name); !ok {
			t.Errorf("there is no broker config %s", name)
		}
	}
}
