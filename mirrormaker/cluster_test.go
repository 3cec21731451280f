package mirrormaker

import (
	"testing"

	"github.com/millrace-io/millrace/broker/brokertest"
	"github.com/millrace-io/millrace/cluster"
)

func startCluster(t *testing.T) cluster.Profile {
	t.Helper()
	return brokertest.Start(t, brokertest.InMemory()).Cluster()
}
