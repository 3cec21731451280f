package node

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/broker"
	"github.com/millrace-io/millrace/cluster"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait.
const patience = 20 * time.Second

// started starts a node that ends with the test.
func started(t *testing.T, cfg Config) *Node {
	t.Helper()
	n, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return n
}

func readied(t *testing.T, cfg Config) *Node {
	t.Helper()
	n := started(t, cfg)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := n.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	return n
}

// ask asks the admin server, over a connection of its own.
func ask(t *testing.T, n *Node, path string) (status int, body string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	resp, err := client.Get(n.Addresses().Admin + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// states is what /readyz?verbose says of the parts.
func states(t *testing.T, n *Node) (status int, parts map[string]bool) {
	t.Helper()
	status, body := ask(t, n, "/readyz?verbose")
	var answer struct {
		Ready bool            `json:"ready"`
		Parts map[string]bool `json:"parts"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Ready != (status == http.StatusOK) {
		t.Fatalf("status %d, %s: %v", status, body, err)
	}
	return status, answer.Parts
}

func TestDevServesEveryPart(t *testing.T) {
	n := readied(t, Dev("", 0))
	a := n.Addresses()
	for part, address := range map[string]string{"kafka": a.Kafka, "registry": a.Registry, "connect": a.Connect, "admin": a.Admin} {
		if !strings.Contains(address, "127.0.0.1:") || strings.HasSuffix(address, ":0") {
			t.Errorf("%s is at %q: want a bound port on loopback", part, address)
		}
	}
	if status, body := ask(t, n, "/livez"); status != http.StatusOK || body != "ok\n" {
		t.Errorf("/livez: %d %q", status, body)
	}
	if status, body := ask(t, n, "/readyz"); status != http.StatusOK || body != "OK\n" {
		t.Errorf("/readyz: %d %q", status, body)
	}
	if status, parts := states(t, n); status != http.StatusOK || len(parts) != 3 || !parts["broker"] || !parts["registry"] || !parts["connect"] {
		t.Errorf("/readyz?verbose: %d %v", status, parts)
	}
	if status, _ := ask(t, n, "/debug/pprof/goroutine?debug=1"); status != http.StatusOK {
		t.Errorf("/debug/pprof: %d", status)
	}
}

// Who runs a node sees in its metrics what clients do: requests, bytes and
// latency by API, sizes of logs, and the lag of groups.
func TestMetricsTellWhatClientsDo(t *testing.T) {
	n := readied(t, Dev("", 0))
	p, err := n.Profile("")
	if err != nil {
		t.Fatal(err)
	}
	client, err := p.Client(kgo.AllowAutoTopicCreation(), kgo.ConsumerGroup("readers"), kgo.ConsumeTopics("orders"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for range 3 {
		if err := client.ProduceSync(ctx, &kgo.Record{Topic: "orders", Value: []byte("x")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	fetched := 0
	for fetched < 3 {
		f := client.PollFetches(ctx)
		if err := f.Err(); err != nil {
			t.Fatal(err)
		}
		f.EachRecord(func(r *kgo.Record) {
			fetched++
			if fetched == 2 { // so that one record is left
				err = client.CommitRecords(ctx, r)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	_, text := ask(t, n, "/metrics")
	for _, want := range []string{
		`millrace_request_seconds_count{api="Produce"} 3`,
		`millrace_request_seconds_count{api="JoinGroup"} `,
		`millrace_bytes_in_total{api="Produce"} `,
		`millrace_bytes_out_total{api="Fetch"} `,
		`millrace_log_end_offset{topic="orders"} 3`,
		`millrace_log_bytes{topic="orders"} `,
		`millrace_group_lag_records{group="readers",topic="orders"} 1`,
		`go_goroutines `,
		`process_resident_memory_bytes `,
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("/metrics has no %q", want)
		}
	}
	if t.Failed() {
		t.Logf("%s", text)
	}
}

// away is a cluster that nobody runs.
func away() map[string]cluster.Profile {
	return map[string]cluster.Profile{"away": {Bootstrap: []string{"127.0.0.1:1"}}}
}

// A node whose cluster is away is alive, so nobody restarts it for that, and
// not ready, so nobody sends it requests. It says which part is the reason.
func TestNotReadyWithoutItsCluster(t *testing.T) {
	n := started(t, Config{
		Admin: "127.0.0.1:0", Profiles: away(),
		Registry: &Registry{Listen: "127.0.0.1:0", Profile: "away"},
	})
	if status, _ := ask(t, n, "/livez"); status != http.StatusOK {
		t.Errorf("/livez: %d", status)
	}
	if status, parts := states(t, n); status != http.StatusServiceUnavailable || len(parts) != 1 || parts["registry"] {
		t.Errorf("/readyz: %d %v", status, parts)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := n.Ready(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "registry") {
		t.Errorf("Ready: %v; want the part that it waits for", err)
	}
}

// A mirror whose other cluster is away does not take the node down with it.
func TestMirrorsWaitForTheirCluster(t *testing.T) {
	file, err := LoadFile("millrace.yaml", []byte(`
profiles: {away: {bootstrap: ["127.0.0.1:1"]}}
node: {data_dir: `+t.TempDir()+`}
broker:
  listeners: [{name: local, address: "127.0.0.1:0"}]
mirrors: [{name: m, from: away, to: local, topics: [orders], naming: identity}]
metrics: {listen: "127.0.0.1:0"}
`))
	if err != nil {
		t.Fatal(err)
	}
	n := readied(t, file.Config())
	select {
	case err := <-n.Failed():
		t.Errorf("the node failed: %v", err)
	default:
	}
	if status, parts := states(t, n); status != http.StatusOK || !parts["mirrors"] {
		t.Errorf("/readyz: %d %v", status, parts)
	}
}

// While a node ends it is not ready, so that nothing new is sent to it.
func TestNotReadyWhileItEnds(t *testing.T) {
	p := newParts()
	p.add("broker", func() bool { return true })
	if !p.ready() {
		t.Fatal("not ready")
	}
	p.drain()
	if waiting := p.waiting(); len(waiting) != 1 || waiting[0] != "broker" {
		t.Errorf("ready while it ends: waits for %v", waiting)
	}
}

// A port in use is noticed before anything is started: no directory is made,
// no other port is held, and the error says who has it.
func TestPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := filepath.Join(t.TempDir(), "data")
	for part, change := range map[string]func(*Config, string){
		"kafka":           func(c *Config, a string) { c.Broker.Listeners[0].Address = a },
		"schema registry": func(c *Config, a string) { c.Registry.Listen = a },
		"connect":         func(c *Config, a string) { c.Connect.Listen = a },
		"admin":           func(c *Config, a string) { c.Admin = a },
	} {
		cfg := Dev(dir, 0)
		change(&cfg, taken.Addr().String())
		_, err := Start(t.Context(), cfg)
		var port *PortError
		if !errors.As(err, &port) || port.Part != part || port.Address != taken.Addr().String() {
			t.Errorf("%s: %v", part, err)
			continue
		}
		if holderKnown && !strings.Contains(err.Error(), "(process "+pid()+")") {
			t.Errorf("%s: %v: want who holds it, process %s", part, err, pid())
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the data directory was made (%v)", part, err)
		}
	}
}

// C10, D19: what is wrong with a data directory ends the start, with the
// addresses free again.
func TestC10D19DataDirectory(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), Dev(filepath.Join(file, "data"), 0)); !errors.Is(err, broker.ErrDataDir) || !strings.Contains(err.Error(), file) {
		t.Errorf("C10: %v; want the directory", err)
	}
	kept := filepath.Join(dir, "kept")
	first := readied(t, Dev(kept, 0))
	second := Dev(kept, 0)
	second.Admin = free(t)
	if _, err := Start(t.Context(), second); !errors.Is(err, broker.ErrDataDir) || !strings.Contains(err.Error(), "in use") {
		t.Errorf("D19: %v; want that it is in use", err)
	}
	again, err := net.Listen("tcp", second.Admin)
	if err != nil {
		t.Errorf("the refused node still holds its port: %v", err)
	} else {
		again.Close()
	}
	if status, _ := states(t, first); status != http.StatusOK {
		t.Errorf("the first node is not ready any more: %d", status)
	}
}

// free is an address that was free a moment ago.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestProfiles(t *testing.T) {
	cfg := Dev("", 0)
	cfg.Profiles = away()
	n := readied(t, cfg)
	local, err := n.Profile("local")
	if err != nil || local.SchemaRegistry.URL != n.Addresses().Registry {
		t.Errorf("local: %+v, %v; want the registry of this node", local, err)
	}
	other, err := n.Profile("away")
	if err != nil || other.Name != "away" || other.Bootstrap[0] != "127.0.0.1:1" {
		t.Errorf("away: %+v, %v", other, err)
	}
	if _, err := n.Profile("nowhere"); err == nil || !strings.Contains(err.Error(), `"nowhere"`) {
		t.Errorf("nowhere: %v", err)
	}
	if _, err := Start(t.Context(), Config{Registry: &Registry{Listen: "127.0.0.1:0"}}); err == nil || !strings.Contains(err.Error(), "schema") {
		t.Errorf("a registry without a cluster: %v", err)
	}
}

// What was acked before a stop is there after it.
func TestStopKeepsWhatWasAcked(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for round := range 2 {
		n, err := Start(ctx, Dev(dir, 0))
		if err != nil {
			t.Fatal(err)
		}
		p, err := n.Profile("")
		if err != nil {
			t.Fatal(err)
		}
		client, err := p.Client(kgo.AllowAutoTopicCreation(), kgo.DefaultProduceTopic("t"))
		if err != nil {
			t.Fatal(err)
		}
		result := client.ProduceSync(ctx, kgo.StringRecord("x"))
		if r, err := result.First(); err != nil || r.Offset != int64(round) {
			t.Errorf("round %d: %v at offset %d", round, err, r.Offset)
		}
		client.Close()
		if err := errors.Join(n.Close(), n.Close()); err != nil {
			t.Fatal(err)
		}
	}
}
