package mirrormaker

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/millrace-io/millrace/cluster"
)

func startCluster(t *testing.T) cluster.Profile {
	t.Helper()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ClusterID(t.Name()+"-"+randomID(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	return cluster.Profile{Bootstrap: fake.ListenAddrs()}
}

func randomID(t *testing.T) string {
	t.Helper()
	return t.TempDir()[len(t.TempDir())-3:]
}
