//go:build integration

package worker_test

import (
	"testing"

	"github.com/millrace-io/millrace/test/kafka"
)

// The worker runs on an Apache Kafka as it does on the bundled broker.
func TestOnApacheKafka(t *testing.T) {
	t.Run("file to topic to file", func(t *testing.T) { fileToTopicToFile(t, kafka.Start(t).Cluster()) })
	t.Run("stored formats", func(t *testing.T) { storedFormats(t, kafka.Start(t).Cluster()) })
}
