package kafkaconf

// The broker configs of Kafka that have nothing to act on here. They are
// listed with their defaults, so that a tool that reads or copies a broker's
// configs finds all of them, and accepted where a value promises nothing that
// this broker does not do.

// without marks keys as having no effect, and says why in their documentation.
func without(why string, keys ...Key) []Key {
	for i := range keys {
		keys[i].NoEffect = true
		keys[i].Doc = "No effect: " + why + "."
	}
	return keys
}

// fixed marks keys that can only have their default, or no value at all:
// another one would promise what is not there.
func fixed(why string, keys ...Key) []Key {
	for i := range keys {
		k := &keys[i]
		k.NoEffect = true
		k.Doc = "Cannot be changed: " + why + "."
		if k.Valid = (only{k.Default, why}); k.NoDefault {
			k.Valid = never{why}
		}
	}
	return keys
}

var unusedKeys = concat(
	without("metadata is kept by Raft, whose members and timers are not set by these",
		Key{Name: "broker.heartbeat.interval.ms", Type: Int, Default: "2000"},
		Key{Name: "broker.session.timeout.ms", Type: Int, Default: "9000"},
		Key{Name: "controller.listener.names", Type: List, Default: ""},
		Key{Name: "controller.performance.always.log.threshold.ms", Type: Long, Default: "2000"},
		Key{Name: "controller.performance.sample.period.ms", Type: Long, Default: "60000"},
		Key{Name: "controller.quorum.append.linger.ms", Type: Int, Default: "25"},
		Key{Name: "controller.quorum.auto.join.enable", Type: Bool, Default: "false"},
		Key{Name: "controller.quorum.bootstrap.servers", Type: List, Default: ""},
		Key{Name: "controller.quorum.election.backoff.max.ms", Type: Int, Default: "1000"},
		Key{Name: "controller.quorum.election.timeout.ms", Type: Int, Default: "1000"},
		Key{Name: "controller.quorum.fetch.timeout.ms", Type: Int, Default: "2000"},
		Key{Name: "controller.quorum.request.timeout.ms", Type: Int, Default: "2000"},
		Key{Name: "controller.quorum.retry.backoff.ms", Type: Int, Default: "20"},
		Key{Name: "controller.quorum.voters", Type: List, Default: ""},
		Key{Name: "initial.broker.registration.timeout.ms", Type: Int, Default: "60000"},
		Key{Name: "metadata.log.dir", Type: String, NoDefault: true},
		Key{Name: "metadata.log.max.record.bytes.between.snapshots", Type: Long, Default: "20971520"},
		Key{Name: "metadata.log.max.snapshot.interval.ms", Type: Long, Default: "3600000"},
		Key{Name: "metadata.log.segment.bytes", Type: Int, Default: gib},
		Key{Name: "metadata.log.segment.ms", Type: Long, Default: week},
		Key{Name: "metadata.max.idle.interval.ms", Type: Int, Default: "500"},
		Key{Name: "metadata.max.retention.bytes", Type: Long, Default: "104857600"},
		Key{Name: "metadata.max.retention.ms", Type: Long, Default: week},
		Key{Name: "process.roles", Type: List, Default: ""},
		Key{Name: "server.max.startup.time.ms", Type: Long, Default: maxLong},
	),
	without("listeners, directories and addresses are set in millrace.yaml",
		Key{Name: "advertised.listeners", Type: String, NoDefault: true, Update: PerBroker},
		Key{Name: "cordoned.log.dirs", Type: List, Default: "", Update: PerBroker},
		Key{Name: "early.start.listeners", Type: String, NoDefault: true},
		Key{Name: "inter.broker.listener.name", Type: String, NoDefault: true},
		Key{Name: "listener.security.protocol.map", Type: String, NoDefault: true, Update: PerBroker},
		Key{Name: "listeners", Type: List, NoDefault: true, Update: PerBroker},
		Key{Name: "log.dir", Type: String, NoDefault: true},
		Key{Name: "log.dirs", Type: String, NoDefault: true},
	),
	without("there is no pool of threads, purgatory or buffer of this kind",
		Key{Name: "background.threads", Type: Int, Default: "10", Valid: atLeast(1), Update: ClusterWide},
		Key{Name: "delete.records.purgatory.purge.interval.requests", Type: Int, Default: "1"},
		Key{Name: "fetch.purgatory.purge.interval.requests", Type: Int, Default: "1000"},
		Key{Name: "group.coordinator.append.linger.ms", Type: Int, Default: "-1"},
		Key{Name: "group.coordinator.background.threads", Type: Int, Default: "2", Valid: atLeast(1)},
		Key{Name: "group.coordinator.threads", Type: Int, Default: "4", Valid: atLeast(1)},
		Key{Name: "num.recovery.threads.per.data.dir", Type: Int, Default: "2", Valid: atLeast(1), Update: ClusterWide},
		Key{Name: "num.replica.alter.log.dirs.threads", Type: Int, NoDefault: true},
		Key{Name: "offsets.load.buffer.size", Type: Int, Default: "5242880", Valid: atLeast(1)},
		Key{Name: "producer.purgatory.purge.interval.requests", Type: Int, Default: "1000"},
		Key{Name: "socket.connection.setup.timeout.max.ms", Type: Long, Default: "30000"},
		Key{Name: "socket.connection.setup.timeout.ms", Type: Long, Default: "10000"},
		Key{Name: "socket.listen.backlog.size", Type: Int, Default: "50", Valid: atLeast(1)},
		Key{Name: "transaction.state.log.load.buffer.size", Type: Int, Default: "5242880", Valid: atLeast(1)},
	),
	without("the broker chooses this by itself",
		Key{Name: "follower.fetch.last.tiered.offset.enable", Type: Bool, Default: "false"},
		Key{Name: "group.consumer.regex.refresh.interval.ms", Type: Int, Default: "600000", Valid: atLeast(10_000)},
		Key{Name: "group.coordinator.rebalance.protocols", Type: List, Default: "classic,consumer,streams"},
		Key{Name: "log.dir.failure.timeout.ms", Type: Long, Default: "30000", Valid: atLeast(1)},
		Key{Name: "log.flush.offset.checkpoint.interval.ms", Type: Int, Default: "60000", Valid: atLeast(0)},
		Key{Name: "log.flush.start.offset.checkpoint.interval.ms", Type: Int, Default: "60000", Valid: atLeast(0)},
		Key{Name: "log.initial.task.delay.ms", Type: Long, Default: "30000", Valid: atLeast(0)},
		Key{Name: "max.request.partition.size.limit", Type: Int, Default: "2000", Valid: atLeast(1)},
		Key{Name: "offsets.commit.timeout.ms", Type: Int, Default: "5000", Valid: atLeast(1)},
		Key{Name: "offsets.topic.compression.codec", Type: Int, Default: "0"},
		Key{Name: "producer.id.expiration.check.interval.ms", Type: Int, Default: "600000", Valid: atLeast(1)},
		Key{Name: "replica.high.watermark.checkpoint.interval.ms", Type: Long, Default: "5000"},
		Key{Name: "transaction.abort.timed.out.transaction.cleanup.interval.ms", Type: Int, Default: "10000", Valid: atLeast(1)},
		Key{Name: "transaction.remove.expired.transaction.cleanup.interval.ms", Type: Int, Default: "3600000", Valid: atLeast(1)},
		Key{Name: "unstable.api.versions.enable", Type: Bool, Default: "false"},
		Key{Name: "unstable.feature.versions.enable", Type: Bool, Default: "false"},
	),
	without("it is for clusters of several brokers, and this one is alone",
		Key{Name: "alter.log.dirs.replication.quota.window.num", Type: Int, Default: "11", Valid: atLeast(1)},
		Key{Name: "alter.log.dirs.replication.quota.window.size.seconds", Type: Int, Default: "1", Valid: atLeast(1)},
		Key{Name: "auto.leader.rebalance.enable", Type: Bool, Default: "true"},
		Key{Name: "follower.replication.throttled.rate", Type: Long, Default: maxLong, Valid: atLeast(0), Update: PerBroker},
		Key{Name: "leader.imbalance.check.interval.seconds", Type: Long, Default: "300", Valid: atLeast(1)},
		Key{Name: "leader.imbalance.per.broker.percentage", Type: Int, Default: "10", Valid: atLeast(0)},
		Key{Name: "leader.replication.throttled.rate", Type: Long, Default: maxLong, Valid: atLeast(0), Update: PerBroker},
		Key{Name: "replica.alter.log.dirs.io.max.bytes.per.second", Type: Long, Default: maxLong, Valid: atLeast(0), Update: PerBroker},
		Key{Name: "replica.fetch.backoff.ms", Type: Int, Default: "1000", Valid: atLeast(0)},
		Key{Name: "replica.fetch.min.bytes", Type: Int, Default: "1"},
		Key{Name: "replica.selector.class", Type: String, NoDefault: true},
		Key{Name: "replica.socket.receive.buffer.bytes", Type: Int, Default: "65536"},
		Key{Name: "replica.socket.timeout.ms", Type: Int, Default: "30000"},
		Key{Name: "replication.quota.window.num", Type: Int, Default: "11", Valid: atLeast(1)},
		Key{Name: "replication.quota.window.size.seconds", Type: Int, Default: "1", Valid: atLeast(1)},
		Key{Name: "unclean.leader.election.interval.ms", Type: Long, Default: "300000", Valid: atLeast(1)},
	),
	without("metrics are served on the admin port, in the format of Prometheus",
		Key{Name: "kafka.metrics.polling.interval.secs", Type: Int, Default: "10", Valid: atLeast(1)},
		Key{Name: "kafka.metrics.reporters", Type: List, Default: ""},
		Key{Name: "metric.reporters", Type: List, Default: "", Update: ClusterWide},
		Key{Name: "metrics.num.samples", Type: Int, Default: "2", Valid: atLeast(1)},
		Key{Name: "metrics.recording.level", Type: String, Default: "INFO"},
		Key{Name: "metrics.sample.window.ms", Type: Long, Default: "30000", Valid: atLeast(1)},
		Key{Name: "telemetry.max.bytes", Type: Int, Default: "1048576", Valid: atLeast(1)},
	),
	fixed("this broker loads no Java classes",
		Key{Name: "alter.config.policy.class.name", Type: Class, NoDefault: true},
		Key{Name: "authorizer.class.name", Type: String, Default: ""},
		Key{Name: "client.quota.callback.class", Type: Class, NoDefault: true},
		Key{Name: "create.topic.policy.class.name", Type: Class, NoDefault: true},
		Key{Name: "principal.builder.class", Type: Class, NoDefault: true},
		Key{Name: "security.providers", Type: String, NoDefault: true},
	),
	fixed("two-phase commit of transactions (KIP-939) is not served",
		Key{Name: "transaction.two.phase.commit.enable", Type: Bool, Default: "false"},
	),
	fixed("a transaction's partitions are always verified",
		Key{Name: "transaction.partition.verification.enable", Type: Bool, Default: "true"},
	),
)

func concat(tables ...[]Key) (all []Key) {
	for _, t := range tables {
		all = append(all, t...)
	}
	return all
}
