package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
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
		if name, ok := strings.CutPrefix(p.path, "docs/"); ok && name != "README.md" && !strings.Contains(list, "("+name+")") {
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

// codes are the error codes of internal/ops, by the names of their constants.
func codes(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "internal/ops/fault.go"), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if ok && strings.HasPrefix(spec.Names[0].Name, "Code") {
			code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			found[spec.Names[0].Name] = code
		}
		return true
	})
	if len(found) < 20 {
		t.Fatalf("found %d codes, which cannot be all", len(found))
	}
	return found
}

// Who looks a code up finds what it means and what to try, and the page has no
// code that nobody can meet.
func TestErrorsPage(t *testing.T) {
	sections := map[string]string{}
	var order []string
	for _, section := range strings.Split(text(t, "docs/errors.md"), "\n## ")[1:] {
		title, body, _ := strings.Cut(section, "\n")
		if strings.HasPrefix(title, "MR-") {
			sections[title] = body
			order = append(order, title)
		}
	}
	if !slices.IsSorted(order) || len(slices.Compact(slices.Clone(order))) != len(order) {
		t.Errorf("sections are not in the order of their codes: %v", order)
	}
	for name, code := range codes(t) {
		body, ok := sections[code]
		if !ok {
			t.Errorf("docs/errors.md has no section for %s (%s)", code, name)
			continue
		}
		for _, part := range []string{".** Exit code ", "\n**Try** "} {
			if !strings.Contains(body, part) {
				t.Errorf("docs/errors.md: %s has no %q", code, strings.TrimSpace(part))
			}
		}
		delete(sections, code)
	}
	for code := range sections {
		t.Errorf("docs/errors.md explains %s, which no error has", code)
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
