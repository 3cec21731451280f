package mirrormaker

import (
	"strings"
	"testing"
	"time"
)

const good = `
profiles:
  fra: {bootstrap: ["10.0.0.1:9092"]}
  ams: {bootstrap: ["10.1.0.1:9092"]}
mirrors:
  - name: dr
    from: fra
    to: ams
    naming: identity
    topics: {include: ["orders\\..*", payments], exclude: [".*\\.tmp"]}
    on_gap: continue
  - {name: a2b, from: fra, to: ams, topics: ["geo\\..*"]}
`

func TestLoad(t *testing.T) {
	f, err := Load("mirror.yaml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	dr, geo := f.Mirrors[0], f.Mirrors[1]
	if len(dr.Topics.Include) != 2 || dr.Topics.Exclude[0] != `.*\.tmp` || !dr.policy().ContinueOnGap || dr.policy().ContinueOnDivergence {
		t.Errorf("dr: %+v", dr)
	}
	if geo.Topics.Include[0] != `geo\..*` || geo.CommitInterval != 100*time.Millisecond || geo.Refresh != 5*time.Second ||
		!geo.Sync.Configs || geo.Create.ReplicationFactor != -1 || geo.Delivery != "idempotent" {
		t.Errorf("defaults: %+v", geo)
	}
	if got := geo.namer().Name("geo.x"); got != "fra.geo.x" {
		t.Errorf("prefix naming gives %q", got)
	}
	if f.Profiles["ams"].Bootstrap[0] != "10.1.0.1:9092" {
		t.Errorf("profiles: %+v", f.Profiles)
	}
}

// MB1: every fault of a file in one run, each at its line and column.
func TestMB1EveryFaultWithItsPlace(t *testing.T) {
	_, err := Load("mirror.yaml", []byte(`profiles:
  fra: {bootstrap: ["10.0.0.1:9092"]}
mirrors:
  - name: DR
    from: fra
    to: fra
    topics: ["*"]
  - name: x
    from: fra
    to: local
    tpics: ["a"]
    mode: rwa
  - {name: y, from: fra, to: local, topics: [a], delivery: exactly_once, mode: raw}
  - {name: z, from: fra, to: local, topics: [a], mode: link, naming: "{source}"}
`))
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		"mirror.yaml:4:11:", `"DR"`, "mirror.yaml:6:9:", "two clusters", "mirror.yaml:7:13:", "all topics is .*",
		"mirror.yaml:8:5:", "missing key topics", "mirror.yaml:11:5:", "did you mean topics?", "mirror.yaml:12:11:", "not one of auto, raw",
		"use idempotent", "raw is not available", "link is not available", "no {topic}",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %q in:\n%v", want, err)
		}
	}
}

func TestUnknownProfile(t *testing.T) {
	_, err := Load("m.yaml", []byte("profiles:\n  fra: {bootstrap: [\"h:1\"]}\nmirrors:\n  - {name: x, from: frb, to: local, topics: [a]}\n  - {name: x, from: fra, to: local, topics: [a]}\n"))
	if err == nil || !strings.Contains(err.Error(), "m.yaml:4:21:") || !strings.Contains(err.Error(), "did you mean fra?") || !strings.Contains(err.Error(), "name of another flow") {
		t.Fatalf("got %v", err)
	}
}
