package broker_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/broker/internal/api"
)

var update = flag.Bool("update", false, "write docs/protocol.md anew")

const (
	protocolPage = "../docs/protocol.md"
	apiDir       = "internal/api"
)

// A client's author reads docs/protocol.md to learn what may be sent; it must
// say what ApiVersions says. So must the head of each API's file, which the
// page sends its readers to.
func TestProtocolPage(t *testing.T) {
	want := protocol(t)
	if *update {
		if err := os.WriteFile(protocolPage, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(protocolPage)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Errorf("%s is not what the table of APIs gives: run go test ./broker -run TestProtocolPage -update", protocolPage)
	}
}

func protocol(t *testing.T) []byte {
	t.Helper()
	files := heads(t)
	var page bytes.Buffer
	page.WriteString(`# The protocol

Millrace speaks Kafka's protocol. This page lists every request that the broker
serves. It is made from the table in ` + "`broker/internal/api/table.go`" + `, from which
ApiVersions and the dispatch of requests come too; to make it again:

` + "```sh\ngo test ./broker -run TestProtocolPage -update\n```" + `

The head of each file says what its API promises and where it differs from
Kafka. "Allowed by" is the operation of Kafka's ACLs that the request stands
for; this version has no authorizer and allows everything.

| key | API | versions | allowed by | file |
|---:|---|---|---|---|
`)
	for _, a := range api.Table() {
		h, ok := files[a.Key]
		if !ok {
			t.Errorf("no file of %s has the head of %s (key %d)", apiDir, a.Name(), a.Key)
			continue
		}
		// kmsg writes ID where Kafka writes Id; the page has Kafka's spelling.
		if !strings.EqualFold(h.name, a.Name()) || h.min != a.From() || h.max != a.Max {
			t.Errorf("%s: the head says %s v%d-%d, the table %s v%d-%d", h.file, h.name, h.min, h.max, a.Name(), a.From(), a.Max)
		}
		fmt.Fprintf(&page, "| %d | %s | %s | %s | [%s](../broker/internal/api/%s) |\n",
			a.Key, h.name, versions(a.From(), a.Max), access(a.Access), h.file, h.file)
	}
	page.WriteString(notes(api.Table()))
	return page.Bytes()
}

// notes are what the table's columns leave out.
func notes(table []api.API) string {
	var text strings.Builder
	for _, a := range table {
		if a.Refused > 0 {
			fmt.Fprintf(&text, "\n%s is advertised from version %d on, as Kafka does, and versions below %d are refused (KAFKA-18659).\n",
				a.Name(), a.Min, a.From())
		}
	}
	text.WriteString(`
A request with another key closes the connection, and so does one with another
version, but for ApiVersions: that is answered as KIP-511 says. Requests for
ACLs, authentication and share groups are among those that are not served yet.
`)
	return text.String()
}

func versions(from, to int16) string {
	if from == to {
		return strconv.Itoa(int(from))
	}
	return fmt.Sprintf("%d to %d", from, to)
}

func access(a api.Access) string {
	if a.Operation == "" {
		return "everyone"
	}
	return a.Operation + " on " + a.Resource
}

// head is what a file says about an API that it serves.
type head struct {
	file, name string
	min, max   int16
}

var (
	headLine = regexp.MustCompile(`(?m)^//[ \t].*$`)
	headAPI  = regexp.MustCompile(`(\w+) +\(key (\d+), v(\d+)(?:-(\d+))?`)
)

func heads(t *testing.T) map[int16]head {
	t.Helper()
	paths, err := filepath.Glob(apiDir + "/*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := map[int16]head{}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range headLine.FindAllString(string(text), -1) {
			for _, m := range headAPI.FindAllStringSubmatch(line, -1) {
				if m[4] == "" {
					m[4] = m[3]
				}
				found[number(t, m[2])] = head{filepath.Base(path), m[1], number(t, m[3]), number(t, m[4])}
			}
		}
	}
	return found
}

func number(t *testing.T, text string) int16 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return int16(n)
}
