package arch

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/millrace-io/millrace/"

// A rule forbids the packages at or below from to import those at or below
// any of deny, except those at or below any of allow.
type rule struct {
	from   []string
	except []string // packages below from that the rule does not bind
	deny   []string
	allow  []string // what is below deny but permitted
	reason string
}

var upper = []string{"streams", "schema", "connect", "mirrormaker"}

var rules = []rule{
	{
		from: upper, except: []string{"schema/schematest"}, deny: []string{"broker"},
		reason: "the upper half runs on any Kafka: it reaches a cluster only through package cluster (a test kit may start a real broker)",
	},
	{
		from: []string{"schema"}, deny: []string{"streams", "connect", "mirrormaker"},
		reason: "serializers serve everything above and know none of it",
	},
	{
		from: []string{"streams"}, deny: []string{"connect", "mirrormaker"},
		reason: "streams, connect and mirrormaker are peers",
	},
	{
		from: []string{"connect"}, deny: []string{"streams", "mirrormaker"},
		reason: "streams, connect and mirrormaker are peers",
	},
	{
		from: []string{"mirrormaker"}, deny: []string{"streams", "connect"}, allow: []string{"connect/transform"},
		reason: "a mirror on connect's record path would decode and encode every record",
	},
	{
		from: []string{"broker"}, deny: append([]string{"cmd", "internal/node", "internal/ops", "examples"}, upper...),
		reason: "the broker knows nothing above it; payload checks are handed to it as a function",
	},
	{
		from: []string{"cluster"}, deny: []string{"broker", "streams", "schema", "connect", "mirrormaker", "internal"},
		reason: "the profile is below everything that uses it",
	},
	{
		from:   []string{"internal/vfs", "internal/memnet", "internal/record", "internal/kafkaconf", "internal/conf", "internal/mutant", "internal/proc", "internal/history"},
		deny:   []string{"broker", "streams", "schema", "connect", "mirrormaker", "cluster", "cmd", "internal/node", "internal/ops"},
		reason: "leaf packages need no other room",
	},
	{
		from: []string{"broker", "streams", "schema", "connect", "mirrormaker", "cluster", "examples"}, except: []string{"examples/weblog/demo"},
		deny:   []string{"internal/node"},
		reason: "only the command and the demo's harness compose a process out of parts",
	},
	{
		from: []string{"broker", "streams", "schema", "connect", "mirrormaker", "cluster", "internal", "examples"},
		deny: []string{"cmd"}, reason: "nothing imports the command",
	},
	{
		from: []string{"cmd"}, deny: []string{"broker/internal", "internal"},
		allow:  []string{"internal/node", "internal/ops", "internal/conf", "internal/console", "internal/bench"},
		reason: "the command is thin: public packages, composition and operations",
	},
	{
		from:   []string{"broker/internal/commitlog", "broker/internal/datadir", "broker/internal/producerstate", "broker/internal/wait"},
		deny:   []string{"broker/internal/replica", "broker/internal/api", "broker/internal/server", "broker/internal/wire", "broker/internal/coordinator", "broker/internal/group", "broker/internal/controller", "broker/internal/metadata"},
		reason: "the data plane never calls upward",
	},
	{
		from: []string{"broker/internal/replica"}, deny: []string{"broker/internal/api", "broker/internal/server", "broker/internal/wire", "broker/internal/coordinator", "broker/internal/group", "broker/internal/controller"},
		reason: "the data plane never calls upward; the control plane enters only by broker/apply.go",
	},
	{
		from:   []string{"broker/internal/group", "broker/internal/controller"},
		deny:   []string{"internal/vfs", "broker/internal/commitlog", "broker/internal/replica", "broker/internal/api", "broker/internal/server"},
		reason: "pure cores take a time and an event and return effects",
	},
	{
		from: []string{"broker"}, except: []string{"broker/internal/sim"}, deny: []string{"broker/internal/sim"},
		reason: "the simulation is a shell of its own around the cores",
	},
}

// foreign forbids imports from outside the module.
var foreign = []struct {
	path   string
	only   []string // packages of the module that may import it (non-test code)
	reason string
}{
	{"github.com/lovoo/goka", []string{"streams/gokabridge", "streams/streamstest/gokatest", "examples"}, "who does not use goka does not link it"},
	{"github.com/IBM/sarama", []string{"streams/gokabridge", "streams/streamstest/gokatest", "schema/saramaserde", "examples"}, "who does not use sarama does not link it"},
	{"github.com/twmb/franz-go/pkg/kfake", nil, "a fake broker belongs to tests"},
	{"go.etcd.io/raft/v3", []string{"broker/internal/quorum", "broker/internal/sim"}, "raft is behind the quorum's adapter"},
	{"github.com/syndtr/goleveldb", []string{"streams/state"}, "the store is behind streams/state"},
	{"github.com/spf13/cobra", []string{"cmd"}, "command lines are parsed in the command"},
}

// kmsgRooms are the packages of the broker in which the protocol's types may
// appear: everywhere else the types are the domain's own.
var kmsgRooms = []string{"broker", "broker/internal/wire", "broker/internal/api", "broker/internal/group", "broker/internal/txn", "broker/internal/sim", "broker/brokertest"}

type pkg struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...")
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 5 {
		t.Fatalf("go list found %d packages, which cannot be all", len(all))
	}
	return all
}

func within(path string, roots []string) bool {
	for _, root := range roots {
		if path == root || strings.HasPrefix(path, root+"/") {
			return true
		}
	}
	return false
}

func TestImportDirection(t *testing.T) {
	for _, p := range packages(t) {
		from := strings.TrimPrefix(p.ImportPath, module)
		for _, imported := range p.Imports {
			to, ours := strings.CutPrefix(imported, module)
			if !ours {
				checkForeign(t, from, imported)
				continue
			}
			for _, r := range rules {
				if within(from, r.from) && !within(from, r.except) && within(to, r.deny) && !within(to, r.allow) && !within(to, []string{from}) {
					t.Errorf("%s imports %s: %s", from, to, r.reason)
				}
			}
		}
	}
}

func checkForeign(t *testing.T, from, imported string) {
	for _, f := range foreign {
		if within(imported, []string{f.path}) && !within(from, f.only) {
			t.Errorf("%s imports %s: %s", from, imported, f.reason)
		}
	}
	if imported == "github.com/twmb/franz-go/pkg/kmsg" && within(from, []string{"broker"}) && !exactly(from, kmsgRooms) {
		t.Errorf("%s imports kmsg: within the broker only %v speak the protocol's types", from, kmsgRooms)
	}
}

func exactly(path string, list []string) bool {
	return slices.Contains(list, path)
}
