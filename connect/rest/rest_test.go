package rest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/connect/plugins/all"
	"github.com/millrace-io/millrace/connect/rest"
	"github.com/millrace-io/millrace/connect/worker"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"))
}

// serve runs a worker with its interface on a Kafka in this process.
func serve(t *testing.T) string {
	t.Helper()
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	w, err := worker.New(worker.Config{Cluster: cluster.Profile{Bootstrap: kafka.ListenAddrs()}, Plugins: all.List(), OffsetFlushInterval: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	server := httptest.NewServer(rest.Handler(w))
	t.Cleanup(func() {
		server.Close()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	<-w.Ready()
	return server.URL
}

func request(t *testing.T, method, url, contentType string, body io.Reader) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(text)
}

// The script is a conversation with the interface:
//
//	PUT path=/connectors/x/config       the body follows; the answer is the status and the body
//	GET path=/... until=RUNNING         asks again until the answer holds the text
func TestConversation(t *testing.T) {
	base, dir := serve(t), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "in.log"), []byte("a\nb\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	datadriven.RunTest(t, "testdata/conversation.txt", func(t *testing.T, d *datadriven.TestData) string {
		var path, until, kind string
		d.ScanArgs(t, "path", &path)
		if d.HasArg("until") {
			d.ScanArgs(t, "until", &until)
		}
		if kind = "application/json"; d.HasArg("type") {
			d.ScanArgs(t, "type", &kind)
		}
		deadline := time.Now().Add(20 * time.Second)
		for {
			body := strings.NewReader(strings.ReplaceAll(d.Input, "DIR", dir))
			status, header, text := request(t, d.Cmd, base+path, kind, body)
			if until != "" && !strings.Contains(text, until) && time.Now().Before(deadline) {
				<-time.After(5 * time.Millisecond)
				continue
			}
			out := fmt.Sprintln(status)
			if location := header.Get("Location"); location != "" {
				out += "Location: " + location + "\n"
			}
			return out + strings.ReplaceAll(pretty(text), dir, "DIR")
		}
	})
}

func pretty(text string) string {
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	if object, ok := v.(map[string]any); ok {
		if _, ok := object["kafka_cluster_id"]; ok {
			object["kafka_cluster_id"], object["commit"] = "<id>", "<revision>"
		}
		if offsets, ok := object["offsets"].([]any); ok {
			for _, o := range offsets {
				at := o.(map[string]any)["offset"].(map[string]any)
				at["inode"], at["fingerprint"] = "<inode>", "<fingerprint>"
			}
		}
	}
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v)
	return b.String()
}

func TestCB5Names(t *testing.T) {
	base := serve(t)
	for name, want := range map[string]int{
		"": 400, "a/b": 400, "a\nb": 400, strings.Repeat("x", 250): 400, "naïve-名": 201, strings.Repeat("y", 249): 201,
	} {
		body, _ := json.Marshal(map[string]any{"name": name, "config": map[string]string{"connector.class": "file-sink", "topics": "t", "path": filepath.Join(t.TempDir(), "x")}, "initial_state": "STOPPED"})
		status, _, text := request(t, "POST", base+"/connectors", "application/json", strings.NewReader(string(body)))
		if status != want {
			t.Errorf("%q: %d, want %d: %s", name, status, want, text)
		}
	}
	if status, _, text := request(t, "PUT", base+"/connectors/a%2Fb/config", "application/json", strings.NewReader(`{"connector.class":"file-sink"}`)); status != 400 {
		t.Errorf("%%2F: %d %s", status, text)
	}
}

func TestCB9Bodies(t *testing.T) {
	base := serve(t)
	for _, tc := range []struct {
		name, kind, body string
		want             int
	}{
		{"no object", "application/json", `[1]`, 400},
		{"null", "application/json", `null`, 400},
		{"no JSON", "application/json", `{`, 400},
		{"two objects", "application/json", `{} {}`, 400},
		{"nested value", "application/json", `{"a":{"b":1}}`, 400},
		{"wrong type", "text/plain", `{}`, 415},
		{"too large", "application/json", `{"a":"` + strings.Repeat("x", 1<<20) + `"}`, 413},
	} {
		status, _, text := request(t, "PUT", base+"/connectors/c/config", tc.kind, strings.NewReader(tc.body))
		var body struct {
			Code    int    `json:"error_code"`
			Message string `json:"message"`
		}
		if err := json.Unmarshal([]byte(text), &body); status != tc.want || err != nil || body.Code != tc.want || body.Message == "" {
			t.Errorf("%s: %d %s, want %d", tc.name, status, text, tc.want)
		}
	}
}

// Concurrent PUTs leave one of them, whole, and every one is answered.
func TestCB9ConcurrentPuts(t *testing.T) {
	base, dir := serve(t), t.TempDir()
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			body := fmt.Sprintf(`{"connector.class":"file-sink","topics":"t%d","path":"%s/%d"}`, i, dir, i)
			if status, _, text := request(t, "PUT", base+"/connectors/c/config", "application/json", strings.NewReader(body)); status != 200 && status != 201 {
				t.Errorf("%d %s", status, text)
			}
		})
	}
	group.Wait()
	_, _, text := request(t, "GET", base+"/connectors/c/config", "", nil)
	var config map[string]string
	if err := json.Unmarshal([]byte(text), &config); err != nil || "t"+filepath.Base(config["path"]) != config["topics"] {
		t.Errorf("mixed: %s", text)
	}
}

func TestCB9Starting(t *testing.T) {
	w, err := worker.New(worker.Config{Cluster: cluster.Profile{Bootstrap: []string{"127.0.0.1:1"}}, Plugins: all.List()})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(rest.Handler(w))
	defer server.Close()
	for _, path := range []string{"/connectors", "/connectors/x", "/connectors/x/status", "/health"} {
		if status, _, text := request(t, "GET", server.URL+path, "", nil); status != 503 {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
}
