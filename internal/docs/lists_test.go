package docs

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func text(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Every page below docs can be found from its list.
func TestListIsComplete(t *testing.T) {
	list := text(t, "docs/README.md")
	for _, p := range pages(t) {
		if name, ok := strings.CutPrefix(p.Path, "docs/"); ok && name != "README.md" && !strings.Contains(list, "("+name+")") {
			t.Errorf("docs/README.md does not list %s", name)
		}
	}
}

// adrTitle is the first line of a decision.
var adrTitle = regexp.MustCompile(`^# (\d+)\. (.+)$`)

// Decisions are numbered without gaps, dated, and listed with their titles.
func TestDecisions(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "docs", "adr", "*.md"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	list := text(t, "docs/README.md")
	slices.Sort(files)
	for i, file := range files {
		name := "adr/" + filepath.Base(file)
		lines := strings.Split(text(t, path.Join("docs", name)), "\n")
		m := adrTitle.FindStringSubmatch(lines[0])
		switch {
		case m == nil || m[1] != strconv.Itoa(i+1) || !strings.HasPrefix(filepath.Base(file), fmt.Sprintf("%04d-", i+1)):
			t.Errorf("%s: decision %d begins with %q", name, i+1, lines[0])
		case len(lines) < 3 || !regexp.MustCompile(`^\d{4}-\d\d-\d\d$`).MatchString(lines[2]):
			t.Errorf("%s: no date in the third line", name)
		case !strings.Contains(list, fmt.Sprintf("| %s | [%s](%s) |", m[1], m[2], name)):
			t.Errorf("docs/README.md does not list %s as %q", name, m[2])
		}
	}
}

// Each released version has a date, and the newest section is what is not
// released.
func TestChangelog(t *testing.T) {
	var titles []string
	for line := range strings.Lines(text(t, "CHANGELOG.md")) {
		if title, ok := strings.CutPrefix(line, "## "); ok {
			titles = append(titles, strings.TrimSpace(title))
		}
	}
	if len(titles) == 0 || titles[0] != "Unreleased" {
		t.Fatalf("sections %q: want Unreleased first", titles)
	}
	for _, title := range titles[1:] {
		if !regexp.MustCompile(`^v\d+\.\d+\.\d+, \d{4}-\d\d-\d\d$`).MatchString(title) {
			t.Errorf("section %q: want a version and a date", title)
		}
	}
}

// makes is a call of make in a page; target is one of the Makefile.
var (
	makes  = regexp.MustCompile("(?m)(?:^|`|[A-Z]+=\\S+ )make ([a-z]+)\\b")
	target = regexp.MustCompile(`(?m)^([a-z]+):`)
)

func TestMakeTargetsExist(t *testing.T) {
	targets := map[string]bool{}
	for _, m := range target.FindAllStringSubmatch(text(t, "Makefile"), -1) {
		targets[m[1]] = true
	}
	count := 0
	for _, p := range pages(t) {
		for _, m := range makes.FindAllStringSubmatch(p.Text, -1) {
			count++
			if !targets[m[1]] {
				t.Errorf("%s: make %s: the Makefile has no such target", p.Path, m[1])
			}
		}
	}
	if count < 10 {
		t.Errorf("found %d calls of make, which cannot be all", count)
	}
}

// badInput is a row of docs/bad-input.md.
var badInput = regexp.MustCompile(`(?m)^\| ([WBCLD]\d+) \|`)

// Each kind of bad input that the page speaks of is tried by a test that
// carries its id.
func TestBadInputIsTested(t *testing.T) {
	tried := map[string]bool{}
	id := regexp.MustCompile(`\b(?:Test)?([WBCLD]\d+)(?:[A-Z _:,(]|\b)`)
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, "_test.go") && filepath.Ext(name) != ".txtar" {
			return err
		}
		source, err := os.ReadFile(name)
		for _, m := range id.FindAllStringSubmatch(string(source), -1) {
			tried[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	rows := badInput.FindAllStringSubmatch(text(t, "docs/bad-input.md"), -1)
	if len(rows) < 40 {
		t.Fatalf("found %d rows, which cannot be all", len(rows))
	}
	for _, m := range rows {
		if !tried[m[1]] {
			t.Errorf("docs/bad-input.md: no test names %s", m[1])
		}
	}
}
