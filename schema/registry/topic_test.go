package registry_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/schema"
	"github.com/millrace-io/millrace/schema/registry"
	"github.com/millrace-io/millrace/schema/schematest"
)

func post(t *testing.T, url, body string) (int, string) {
	t.Helper()
	resp, err := http.Post(url, "application/vnd.schemaregistry.v1+json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	reply, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(reply)
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	reply, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return times.ReplaceAllString(string(reply), `"ts":0`)
}

// kafka starts a Kafka in memory with a topic for schemas.
func kafka(t *testing.T, partitions int32, policy string) (cluster.Profile, *kgo.Client) {
	t.Helper()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	profile := cluster.Profile{Bootstrap: fake.ListenAddrs()}
	client, err := profile.Client(kgo.DefaultProduceTopic("_schemas"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	_, err = kadm.NewClient(client).CreateTopic(t.Context(), partitions, 1, map[string]*string{"cleanup.policy": &policy}, "_schemas")
	if err != nil {
		t.Fatal(err)
	}
	return profile, client
}

// TestTakesOverATopic starts on what other registries wrote: Confluent's
// records of several ages, other orders of properties, a record of another
// type, and nonsense, which is skipped and counted.
func TestTakesOverATopic(t *testing.T) {
	profile, client := kafka(t, 1, "compact")
	for _, r := range [][2]string{
		{`{"keytype":"NOOP","magic":0}`, ""},
		{`{"keytype":"CONFIG","subject":null,"magic":0}`, `{"compatibilityLevel":"NONE"}`},
		{`{"keytype":"SCHEMA","subject":"a","version":1,"magic":1}`, `{"subject":"a","version":1,"id":1,"schema":"\"string\"","deleted":false}`},
		{`{"magic":0,"version":2,"subject":"a","keytype":"SCHEMA"}`, `{"id":2,"schema":"\"int\""}`},
		{`{"keytype":"SCHEMA","subject":"p","version":1,"magic":1}`, `{"subject":"p","version":1,"id":3,"md5":"x","schema":"message M {}","schemaType":"PROTOBUF","deleted":false}`},
		{`not json`, `{}`},
		{`{"keytype":"SCHEMA","subject":"b","version":1,"magic":1}`, `{"subject":"b","id":`},
		{`{"keytype":"SCHEMA","subject":"b","version":1,"magic":1}`, `{"subject":"b","version":1,"id":4}`},
		{`{"keytype":"SOMETHING","subject":"b","magic":0}`, `{}`},
		// Another leader gave id 1 away once more: the first binding stands.
		{`{"keytype":"SCHEMA","subject":"c","version":1,"magic":1}`, `{"subject":"c","version":1,"id":1,"schema":"\"long\"","deleted":false}`},
	} {
		record := &kgo.Record{Key: []byte(r[0]), Value: []byte(r[1])}
		if r[1] == "" {
			record.Value = nil
		}
		if err := client.ProduceSync(t.Context(), record).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	reg := schematest.New(t, profile)
	for path, want := range map[string]string{
		"/subjects":              `["a","p"]`,
		"/subjects/a/versions":   `[1,2]`,
		"/schemas/ids/1/schema":  `"string"`,
		"/schemas/ids/2/schema":  `"int"`,
		"/schemas/ids/3/schema":  `message M {}`,
		"/config":                `{"compatibilityLevel":"NONE"}`,
		"/subjects/c/versions/1": `{"error_code":40401,"message":"Subject 'c' not found."}`,
	} {
		if got := get(t, reg.URL()+path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if id := reg.Register("d", `"double"`); id != 4 {
		t.Errorf("the next id is %d, want 4", id)
	}
	// A permanent delete reaches the record under the key that it has.
	for _, query := range []string{"", "?permanent=true"} {
		if err := remove(reg.URL() + "/subjects/a" + query); err != nil {
			t.Fatal(err)
		}
	}
	tombstones := make(map[string]bool)
	for _, r := range readTopic(t, profile, "_schemas") {
		tombstones[string(r.Key)] = r.Value == nil
	}
	for _, key := range []string{
		`{"keytype":"SCHEMA","subject":"a","version":1,"magic":1}`, `{"magic":0,"version":2,"subject":"a","keytype":"SCHEMA"}`,
	} {
		if !tombstones[key] {
			t.Errorf("%s is not tombstoned", key)
		}
	}
	if again := schematest.New(t, profile); get(t, again.URL()+"/subjects?deleted=true") != `["d","p"]` {
		t.Error("the deleted subject came back")
	}
}

func remove(url string) error {
	req, err := http.NewRequest(http.MethodDelete, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// TestRefusesTopics that would lose schemas or their order.
func TestRefusesTopics(t *testing.T) {
	for _, c := range []struct {
		partitions   int32
		policy, want string
	}{
		{2, "compact", "has 2 partitions"},
		{1, "delete", "set cleanup.policy=compact"},
		{1, "compact,delete", "set cleanup.policy=compact"},
	} {
		profile, _ := kafka(t, c.partitions, c.policy)
		reg, err := registry.New(registry.Config{Cluster: profile, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if err := reg.Run(ctx); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d partitions, %s: %v, want %q", c.partitions, c.policy, err, c.want)
		}
	}
}

// TestBeforeReady: a registry that has not read its topic says so, and nothing
// else: an empty answer would look like a registry without schemas.
func TestBeforeReady(t *testing.T) {
	reg, err := registry.New(registry.Config{Cluster: cluster.Profile{Bootstrap: []string{"127.0.0.1:1"}}})
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: reg.Transport()}
	resp, err := client.Get("http://registry/subjects")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("answered %s", resp.Status)
	}
}

func TestNewRefusesConfigurations(t *testing.T) {
	good := cluster.Profile{Bootstrap: []string{"127.0.0.1:9092"}}
	for _, config := range []registry.Config{
		{},
		{Cluster: good, Compatibility: "SOMETIMES"},
		{Cluster: good, ResponseProfile: 6},
	} {
		if _, err := registry.New(config); err == nil {
			t.Errorf("%+v is accepted", config)
		}
	}
}

func TestMetrics(t *testing.T) {
	profile, _ := kafka(t, 1, "compact")
	metrics := prometheus.NewRegistry()
	reg := schematest.Start(t, registry.Config{Cluster: profile, Metrics: metrics, Logger: slog.New(slog.DiscardHandler)})
	reg.Register("a", `"string"`)
	reg.Register("b", `"int"`)
	want := "# HELP millrace_registry_schemas Schemas (ids) that the registry holds.\n" +
		"# TYPE millrace_registry_schemas gauge\nmillrace_registry_schemas 2\n"
	if err := testutil.GatherAndCompare(metrics, strings.NewReader(want), "millrace_registry_schemas"); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(metrics, "millrace_registry_request_seconds"); err != nil || n != 2 {
		t.Errorf("%d series of request times, %v; want register and look-up", n, err)
	}
}

// TestTransport: a client in the same process needs no network.
func TestTransport(t *testing.T) {
	profile, _ := kafka(t, 1, "compact")
	reg, err := registry.New(registry.Config{Cluster: profile, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- reg.Run(ctx) }()
	client, err := schema.NewClient("http://registry", schema.Transport(reg.Transport()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	<-reg.Ready()
	id, err := client.Register(ctx, "a", schema.Definition{Text: `"string"`})
	if err != nil || id != 1 {
		t.Errorf("registered as %d, %v", id, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run ended with %v", err)
	}
	if _, err := client.ByID(t.Context(), 2); !errors.Is(err, schema.ErrUnavailable) {
		t.Errorf("a registry that has ended gives %v", err)
	}
}
