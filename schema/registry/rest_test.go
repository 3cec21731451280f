package registry_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/schema/registry"
	"github.com/millrace-io/millrace/schema/schematest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestREST runs the dialogues in testdata/rest: a request as method and path, its
// body beneath, and the reply with status and body. Times are written as 0.
//
//	POST /subjects/a/versions [accept=... type=...]
//	records            what the topic holds
//	restart            another registry over the same topic
func TestREST(t *testing.T) {
	datadriven.Walk(t, "testdata/rest", func(t *testing.T, path string) {
		config := registry.Config{Logger: slog.New(slog.DiscardHandler)}
		if strings.Contains(path, "profile7") {
			config.ResponseProfile = 7
		}
		reg := schematest.New(t)
		config.Cluster = reg.Cluster()
		if config.ResponseProfile != 0 {
			reg = schematest.Start(t, config)
		}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "records":
				return dump(t, reg.Cluster())
			case "restart":
				reg = schematest.Start(t, config)
				return "ok"
			default:
				return exchange(t, reg.URL(), d)
			}
		})
	})
}

var times = regexp.MustCompile(`"ts":\d+`)

func exchange(t *testing.T, url string, d *datadriven.TestData) string {
	t.Helper()
	target := d.CmdArgs[0].String()
	var body io.Reader = http.NoBody
	if d.Input != "" {
		body = strings.NewReader(d.Input)
	}
	req, err := http.NewRequestWithContext(t.Context(), d.Cmd, url+target, body)
	if err != nil {
		t.Fatalf("%s: %v", d.Pos, err)
	}
	req.Header.Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	for _, arg := range d.CmdArgs[1:] {
		switch arg.Key {
		case "type":
			req.Header.Set("Content-Type", arg.Vals[0])
		case "accept":
			req.Header.Set("Accept", arg.Vals[0])
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s: %v", d.Pos, err)
	}
	defer resp.Body.Close()
	reply, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s: %v", d.Pos, err)
	}
	media := resp.Header.Get("Content-Type")
	if media == "application/vnd.schemaregistry.v1+json" {
		media = ""
	} else {
		media = " " + media
	}
	return fmt.Sprintf("%d%s %s", resp.StatusCode, media, times.ReplaceAllString(string(reply), `"ts":0`))
}

// dump reads the topic and prints its records.
func dump(t *testing.T, profile cluster.Profile) string {
	t.Helper()
	var b strings.Builder
	for _, r := range readTopic(t, profile, "_schemas") {
		value := "null"
		if r.Value != nil {
			value = string(r.Value)
		}
		fmt.Fprintf(&b, "%s -> %s\n", r.Key, value)
	}
	return b.String()
}

func readTopic(t *testing.T, profile cluster.Profile, topic string) []*kgo.Record {
	t.Helper()
	client, err := profile.Client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	end, _ := ends.Lookup(topic, 0)
	var records []*kgo.Record
	for int64(len(records)) < end.Offset {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		records = append(records, fetches.Records()...)
	}
	return records
}
