package node

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

const metricsPage = "../../docs/metrics.md"

var printRows = flag.Bool("rows", false, "print the rows that docs/metrics.md should have")

// description is how a prometheus.Desc prints itself.
var description = regexp.MustCompile(`fqName: "([^"]*)", help: "([^"]*)", .*variableLabels: \{([^}]*)\}`)

// Whoever builds a dashboard reads docs/metrics.md: each metric of a node
// stands there with its labels and what it means, as the node itself says.
func TestMetricsPage(t *testing.T) {
	page := readPage(t)
	n := started(t, Dev("", 0))
	descs := make(chan *prometheus.Desc)
	go func() {
		n.metrics.Describe(descs)
		close(descs)
	}()
	found := 0
	for d := range descs {
		parts := description.FindStringSubmatch(d.String())
		if parts == nil {
			t.Fatalf("cannot read %s", d)
		}
		name, help, labels := parts[1], parts[2], parts[3]
		if !strings.HasPrefix(name, "millrace_") {
			continue
		}
		found++
		row := fmt.Sprintf("| `%s` | %s | %s |", name, strings.ReplaceAll(labels, ",", ", "), help)
		if *printRows {
			fmt.Println(row)
		}
		if !strings.Contains(page, row) {
			t.Errorf("%s lacks the row\n%s", metricsPage, row)
		}
	}
	if found < 20 {
		t.Errorf("only %d metrics were found", found)
	}
}

// The page names every metric in the code, also those of parts that a node
// for development has none of, and no other.
func TestMetricsPageIsWhole(t *testing.T) {
	inCode := namesInCode(t)
	var onPage []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(millrace_[a-z_]+)`").FindAllStringSubmatch(readPage(t), -1) {
		onPage = append(onPage, m[1])
		if !inCode[m[1]] {
			t.Errorf("%s has %s, which is nowhere in the code", metricsPage, m[1])
		}
	}
	for name := range inCode {
		if !slices.Contains(onPage, name) {
			t.Errorf("%s lacks %s", metricsPage, name)
		}
	}
}

// namesInCode collects the literals that look like a metric's name.
func namesInCode(t *testing.T) map[string]bool {
	t.Helper()
	literal, names := regexp.MustCompile(`"(millrace_[a-z_]+)"`), map[string]bool{}
	err := fs.WalkDir(os.DirFS("../.."), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(filepath.Join("../..", path))
		for _, m := range literal.FindAllSubmatch(text, -1) {
			names[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func readPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}
