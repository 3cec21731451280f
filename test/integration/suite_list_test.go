package integration

// suite is the tests of another project, compiled and run against the
// command. docs/conformance.md has a row for every test that is named here.
type suite struct {
	name string
	// module and version pin the sources, pkg is the package with the tests.
	module, version, pkg string
	// env is set for the tests, with BOOTSTRAP replaced by the address.
	env []string
	// leftOut are tests, or subtests, that are not run, with the reason.
	leftOut map[string]string
	// skips are those that the suite itself skips, with the reason.
	skips map[string]string
}

const (
	dialsSASL       = "dials the listener with SASL on port 9093"
	noAuthorizer    = "needs an authorizer"
	failsEverywhere = "fails on Apache Kafka 4.3 too"
	shareGroups     = "needs share groups"
)

func kgoSuite() suite {
	return suite{
		name: "kgo", module: "github.com/twmb/franz-go", version: "v1.22.2", pkg: "github.com/twmb/franz-go/pkg/kgo",
		env: []string{"KGO_SEEDS=BOOTSTRAP", "KGO_TEST_RF=1", "KGO_TEST_RECORDS=50000", "KGO_LOG_LEVEL=none"},
		leftOut: map[string]string{
			"TestOptValuesCoversEveryOption": "parses its own source and runs in its own folder only",
		},
		skips: map[string]string{
			"TestSCRAMAuth":                            "needs SASL",
			"TestSCRAMAuthBadCredentials":              "needs SASL",
			"TestIssueProduceBrokerTooOldFailsRecords": "skips where Produce is advertised from version 0, as by Kafka",
			"TestShareGroup":                           shareGroups,
			"TestShareGroupAckOnClose":                 shareGroups,
			"TestShareGroupETL":                        shareGroups,
			"TestShareGroupOffsetsAdmin":               shareGroups,
			"TestConsumeRegexShareSkipsInternal":       shareGroups,
		},
	}
}

func gokaSuite() suite {
	return suite{
		name: "goka", module: "github.com/lovoo/goka", version: "v1.1.16", pkg: "github.com/lovoo/goka/systemtest",
		env: []string{"GOKA_SYSTEMTEST=1", "GOKA_SYSTEMTEST_BROKERS=BOOTSTRAP"},
		leftOut: map[string]string{
			"TestTopicManager_v11/ensure-new-stream": "sends DescribeConfigs v0, which Kafka 4 dropped",
		},
	}
}

func kafkaGoSuite() suite {
	return suite{
		name: "kafka-go", module: "github.com/segmentio/kafka-go", version: "v0.4.51", pkg: "github.com/segmentio/kafka-go",
		env: []string{"KAFKA_SKIP_NETTEST=1", "KAFKA_VERSION=3.7.0"},
		leftOut: map[string]string{
			"TestUnsupportedSASLMechanism":                                dialsSASL,
			"TestWriter/writing_a_message_with_SASL_Plain_authentication": dialsSASL,
			"TestClientCreateACLs":                                        noAuthorizer,
			"TestClientDeleteACLs":                                        noAuthorizer,
			"TestClientDescribeACLs":                                      noAuthorizer,
			"TestClientElectLeaders":                                      failsEverywhere,
			"TestReaderReadCompactedMessage":                              "asks for segments of 200 bytes, which Kafka 4 refuses",
			"TestMessageFixtures":                                         "reads files of its own folder",
			"TestDialerResolver":                                          "needs a name server",
			"TestReaderConsumerGroup/consumer_group_commits_on_close":     "panics in its helper, whatever the broker",
			"TestReaderConsumerGroup/verify_offset_committed":             "panics in its helper, whatever the broker",
			"TestReaderConsumerGroup/verify_offset_committed_when_using_interval_committer": "panics in its helper, whatever the broker",
			"TestReaderConsumerGroup/consumer_group_rebalance":                              failsEverywhere,
		},
		skips: map[string]string{
			"TestClientAddOffsetsToTxn":         "skips on Kafka 3.0 and newer",
			"TestClientAddPartitionsToTxn":      "skips on Kafka 3.0 and newer",
			"TestClientInitProducerId":          "skips on Kafka 3.0 and newer",
			"TestClientTxnOffsetCommit":         "skips on Kafka 3.0 and newer",
			"TestConn/nettest":                  "skips outside its own network",
			"TestReadTruncatedMessages":         "always skips",
			"TestConsumerGroupWithMissingTopic": "skips where topics are created on first use",
		},
	}
}

func suites() []suite { return []suite{kgoSuite(), gokaSuite(), kafkaGoSuite()} }
