// Package brokertest gives tests a real broker in their own process: the code
// of production, with segments, retention, groups and metadata, not a mock.
//
//	b := brokertest.Start(t)                     // on 127.0.0.1, data in memory
//	client := b.Kgo(kgo.ConsumeTopics("orders")) // ready, closed with the test
//	app, err := streams.New(builder, streams.Config{Cluster: b.Cluster()})
//
// [Virtual] runs a test in a testing/synctest bubble, where hours pass in
// milliseconds: session timeouts, retention and rebalances happen at their
// real durations, on a virtual clock.
//
// Five defaults differ from a server's, as in `millrace dev`: groups do not
// wait for more members, topics are made on first use, a replication factor is
// lowered to the number of brokers, __consumer_offsets has one partition, and
// listeners are on loopback.
package brokertest
