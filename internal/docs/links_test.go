package docs

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// link matches [text](target).
var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// Who follows a link finds what it promises.
func TestLinks(t *testing.T) {
	all := pages(t)
	anchors := map[string]map[string]bool{}
	for _, p := range all {
		anchors[p.Path] = p.Anchors()
	}
	count := 0
	for _, p := range all {
		for number, line := range p.Prose {
			for _, m := range link.FindAllStringSubmatch(line, -1) {
				count++
				if problem := follow(p.Path, m[1], anchors); problem != "" {
					t.Errorf("%s:%d: %s: %s", p.Path, number+1, m[1], problem)
				}
			}
		}
	}
	if count < 50 {
		t.Errorf("found %d links, which cannot be all", count)
	}
}

// follow says what is wrong with a link of a page, if anything.
func follow(from, target string, anchors map[string]map[string]bool) string {
	if strings.Contains(target, "://") {
		return "" // somebody else's page
	}
	file, anchor, hasAnchor := strings.Cut(target, "#")
	to := from
	if file != "" {
		to = path.Join(path.Dir(from), file)
	}
	if strings.HasPrefix(to, "..") {
		return "leads out of the repository"
	}
	if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(to))); err != nil {
		return "there is no such file"
	}
	if strings.HasSuffix(file, "/") && hasAnchor {
		return "a directory has no headings"
	}
	if hasAnchor && !anchors[to][anchor] {
		return "the page has no such heading"
	}
	return ""
}

func TestFollow(t *testing.T) {
	anchors := map[string]map[string]bool{"README.md": {"licence": true}}
	for target, want := range map[string]bool{
		"#licence": true, "#license": false, "docs/": true, "docs/README.md": true, "docs/NONE.md": false,
		"https://example.com/x#y": true, "../elsewhere": false,
	} {
		if problem := follow("README.md", target, anchors); (problem == "") != want {
			t.Errorf("%s: %q", target, problem)
		}
	}
}

// notes are words of work that is not done, and placeholders of generators.
var notes = regexp.MustCompile(`@[A-Z]{2,}@|\b(TODO|FIXME|TBD|XXX)\b|\{\{[^}]*\}\}|<[A-Z]{3,}>`)

func TestNothingWaitsToBeFilledIn(t *testing.T) {
	for _, p := range pages(t) {
		for number, line := range strings.Split(p.Text, "\n") {
			if m := notes.FindString(line); m != "" {
				t.Errorf("%s:%d: %s", p.Path, number+1, m)
			}
		}
	}
}
