package integration

import (
	"os"
	"strings"
	"testing"
)

// A test that does not run says nothing: the page names each with its reason.
func TestConformancePageNamesWhatDoesNotRun(t *testing.T) {
	text, err := os.ReadFile("../../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, s := range suites() {
		if !strings.Contains(page, s.version) {
			t.Errorf("docs/conformance.md does not say that %s is %s", s.name, s.version)
		}
		for _, list := range []map[string]string{s.leftOut, s.skips} {
			for name, reason := range list {
				if row := "`" + name + "` | " + reason + " |"; !strings.Contains(page, row) {
					t.Errorf("docs/conformance.md has no row for %s: %s", s.name, row)
				}
			}
		}
	}
}
