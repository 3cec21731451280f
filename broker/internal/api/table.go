package api

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/wire"
)

// API is one row of the table.
type API struct {
	Key int16
	// Min and Max are the versions that ApiVersions advertises.
	Min, Max int16
	// Refused is the number of versions from Min on that are advertised and
	// refused all the same.
	Refused int16
	// Access is the operation that a client must be allowed, and on what.
	Access Access

	serve handler
}

// From is the lowest version that is served.
func (a *API) From() int16 { return a.Min + a.Refused }

// Name is Kafka's name of the API.
func (a *API) Name() string { return kmsg.NameForKey(a.Key) }

// Access is an operation of Kafka's ACLs on a kind of resource.
type Access struct {
	Operation string
	Resource  string
}

// Accesses by the resource that they are checked on.
func onTopic(operation string) Access       { return Access{operation, "Topic"} }
func onGroup(operation string) Access       { return Access{operation, "Group"} }
func onCluster(operation string) Access     { return Access{operation, "Cluster"} }
func onTransaction(operation string) Access { return Access{operation, "TransactionalId"} }

// Table lists every API that is served. The ranges are those of Kafka 4.4.
//
// Produce is advertised from 0, as Kafka does: librdkafka before 2.0.3 stops
// compressing without a word where it is not (KAFKA-18659).
func Table() []API {
	return []API{
		{Key: 0, Min: 0, Max: 13, Refused: 3, Access: onTopic("Write"), serve: (*Broker).produce},
		{Key: 1, Min: 4, Max: 18, Access: onTopic("Read"), serve: (*Broker).fetch},
		{Key: 2, Min: 1, Max: 11, Access: onTopic("Describe"), serve: now((*Broker).listOffsets)},
		{Key: 3, Min: 0, Max: 13, Access: onTopic("Describe"), serve: (*Broker).metadata},
		{Key: 8, Min: 2, Max: 10, Access: onGroup("Read"), serve: later((*Broker).offsetCommit)},
		{Key: 9, Min: 1, Max: 10, Access: onGroup("Describe"), serve: later((*Broker).offsetFetch)},
		{Key: 10, Min: 0, Max: 6, Access: onGroup("Describe"), serve: blocking((*Broker).findCoordinator)},
		{Key: 11, Min: 0, Max: 9, Access: onGroup("Read"), serve: later((*Broker).joinGroup)},
		{Key: 12, Min: 0, Max: 4, Access: onGroup("Read"), serve: later((*Broker).heartbeat)},
		{Key: 13, Min: 0, Max: 5, Access: onGroup("Read"), serve: later((*Broker).leaveGroup)},
		{Key: 14, Min: 0, Max: 5, Access: onGroup("Read"), serve: later((*Broker).syncGroup)},
		{Key: 15, Min: 0, Max: 6, Access: onGroup("Describe"), serve: later((*Broker).describeGroups)},
		{Key: 16, Min: 0, Max: 5, Access: onGroup("Describe"), serve: now((*Broker).listGroups)},
		{Key: 18, Min: 0, Max: 5, serve: now((*Broker).apiVersions)},
		{Key: 19, Min: 2, Max: 7, Access: onTopic("Create"), serve: blocking((*Broker).createTopics)},
		{Key: 20, Min: 1, Max: 6, Access: onTopic("Delete"), serve: blocking((*Broker).deleteTopics)},
		{Key: 21, Min: 0, Max: 2, Access: onTopic("Delete"), serve: blocking((*Broker).deleteRecords)},
		{Key: 22, Min: 0, Max: 5, Access: onCluster("IdempotentWrite"), serve: later((*Broker).initProducerID)},
		{Key: 23, Min: 2, Max: 4, Access: onTopic("Describe"), serve: now((*Broker).offsetForLeaderEpoch)},
		{Key: 24, Min: 0, Max: 5, Access: onTransaction("Write"), serve: later((*Broker).addPartitionsToTxn)},
		{Key: 25, Min: 0, Max: 4, Access: onTransaction("Write"), serve: later((*Broker).addOffsetsToTxn)},
		{Key: 26, Min: 0, Max: 5, Access: onTransaction("Write"), serve: later((*Broker).endTxn)},
		{Key: 27, Min: 1, Max: 2, Access: onCluster("ClusterAction"), serve: later((*Broker).writeTxnMarkers)},
		{Key: 28, Min: 0, Max: 6, Access: onTransaction("Write"), serve: later((*Broker).txnOffsetCommit)},
		{Key: 32, Min: 1, Max: 4, Access: onTopic("DescribeConfigs"), serve: now((*Broker).describeConfigs)},
		{Key: 33, Min: 0, Max: 2, Access: onTopic("AlterConfigs"), serve: blocking((*Broker).alterConfigs)},
		{Key: 35, Min: 1, Max: 5, Access: onCluster("Describe"), serve: now((*Broker).describeLogDirs)},
		{Key: 37, Min: 0, Max: 3, Access: onTopic("Alter"), serve: blocking((*Broker).createPartitions)},
		{Key: 42, Min: 0, Max: 3, Access: onGroup("Delete"), serve: later((*Broker).deleteGroups)},
		{Key: 44, Min: 0, Max: 1, Access: onTopic("AlterConfigs"), serve: blocking((*Broker).incrementalAlterConfigs)},
		{Key: 45, Min: 0, Max: 1, Access: onCluster("Alter"), serve: now((*Broker).alterPartitionReassignments)},
		{Key: 46, Min: 0, Max: 0, Access: onCluster("Describe"), serve: now((*Broker).listPartitionReassignments)},
		{Key: 47, Min: 0, Max: 0, Access: onGroup("Delete"), serve: later((*Broker).offsetDelete)},
		{Key: 48, Min: 0, Max: 1, Access: onCluster("DescribeConfigs"), serve: now((*Broker).describeClientQuotas)},
		{Key: 49, Min: 0, Max: 1, Access: onCluster("AlterConfigs"), serve: blocking((*Broker).alterClientQuotas)},
		{Key: 50, Min: 0, Max: 0, Access: onCluster("Describe"), serve: now((*Broker).describeUserScramCredentials)},
		{Key: 51, Min: 0, Max: 0, Access: onCluster("Alter"), serve: blocking((*Broker).alterUserScramCredentials)},
		{Key: 57, Min: 0, Max: 2, Access: onCluster("Alter"), serve: blocking((*Broker).updateFeatures)},
		{Key: 60, Min: 0, Max: 2, Access: onCluster("Describe"), serve: now((*Broker).describeCluster)},
		{Key: 61, Min: 0, Max: 0, Access: onTopic("Read"), serve: now((*Broker).describeProducers)},
		{Key: 65, Min: 0, Max: 0, Access: onTransaction("Describe"), serve: later((*Broker).describeTransactions)},
		{Key: 66, Min: 0, Max: 2, Access: onTransaction("Describe"), serve: now((*Broker).listTransactions)},
		{Key: 68, Min: 0, Max: 1, Access: onGroup("Read"), serve: later((*Broker).consumerGroupHeartbeat)},
		{Key: 69, Min: 0, Max: 1, Access: onGroup("Describe"), serve: later((*Broker).consumerGroupDescribe)},
		{Key: 74, Min: 0, Max: 1, Access: onCluster("DescribeConfigs"), serve: now((*Broker).listConfigResources)},
		{Key: 75, Min: 0, Max: 0, Access: onTopic("Describe"), serve: now((*Broker).describeTopicPartitions)},
	}
}

func unknownAPI(h wire.Header) string {
	return fmt.Sprintf("API key %d (%s) is not served; client id %q", h.Key, kmsg.NameForKey(h.Key), h.ClientID)
}

func unsupportedVersion(h wire.Header, a *API) string {
	return fmt.Sprintf("%s v%d is not served, versions %d to %d are; client id %q", a.Name(), h.Version, a.From(), a.Max, h.ClientID)
}
