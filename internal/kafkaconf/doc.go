// Package kafkaconf is the one table of broker, topic and group configs: name,
// type, default, valid values, whether it may change while the broker runs,
// and its documentation, in the words that DescribeConfigs shows.
//
// Whatever deals with a config reads this table: the controller when it
// checks CreateTopics and AlterConfigs, DescribeConfigs, the checks of the
// `config:` section in millrace.yaml, and the generated documentation.
//
// # Layers
//
// A config can be set in four places. The nearest one counts:
//
//	topic or group          IncrementalAlterConfigs on the topic or group
//	this broker             IncrementalAlterConfigs on broker "1"
//	every broker            IncrementalAlterConfigs on broker "" (the cluster default)
//	static                  millrace.yaml, broker.Config
//	default                 this table
//
// A topic config without a value of its own takes the value of the broker
// configs named as its synonyms, first one first: retention.ms falls back to
// log.retention.ms, log.retention.minutes, log.retention.hours. [Layers]
// holds the places and resolves a name ([Layers.Resolve]), a whole topic to a
// struct ([Layers.TopicConfig]), or the group and server limits.
//
// # What is here that Kafka does not have
//
// The topic config durability and its broker synonym log.durability choose
// between fsync (acked means durable) and pagecache (Kafka's behaviour);
// validate.records says whether compressed batches are opened. Every topic
// config of Kafka 4 is accepted. One that has nothing to act on here is
// marked [NoEffect] and says why; one that would promise what this broker
// does not do, such as tiered storage, is refused.
package kafkaconf
