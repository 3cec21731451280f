package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the repository, seen from this package.
const root = "../.."

// A page is a Markdown file of the repository.
type page struct {
	path string // from the root
	text string
	// prose is the text without code blocks, line for line.
	prose  []string
	blocks []block
}

// A block is fenced code.
type block struct {
	line     int // of its first line of code
	language string
	code     string
}

// pages reads all Markdown.
func pages(t *testing.T) []page {
	t.Helper()
	var all []page
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "bin" || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".md":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		all = append(all, read(filepath.ToSlash(name), string(text)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("found %d pages, which cannot be all", len(all))
	}
	return all
}

// read takes a page apart.
func read(path, text string) page {
	p := page{path: path, text: text}
	var open *block
	for number, line := range strings.Split(text, "\n") {
		language, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open == nil:
			open = &block{line: number + 2, language: language}
		case fence:
			p.blocks = append(p.blocks, *open)
			open = nil
		case open != nil:
			open.code += line + "\n"
		default:
			p.prose = append(p.prose, line)
			continue
		}
		p.prose = append(p.prose, "")
	}
	return p
}

// notInAnchors is what GitHub leaves out of the anchor of a heading.
var notInAnchors = regexp.MustCompile("[^a-z0-9 _-]")

// anchors are the ids of a page's headings.
func (p page) anchors() map[string]bool {
	found := map[string]bool{}
	for _, line := range p.prose {
		if heading := strings.TrimLeft(line, "#"); heading != line && strings.HasPrefix(heading, " ") {
			text := notInAnchors.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), "")
			found[strings.ReplaceAll(text, " ", "-")] = true
		}
	}
	return found
}

func TestPageIsTakenApart(t *testing.T) {
	p := read("x.md", "# One: `two`\ntext\n```go\nvar x int\n```\n## Codes MR-1\n")
	if len(p.blocks) != 1 || p.blocks[0] != (block{4, "go", "var x int\n"}) {
		t.Errorf("blocks %+v", p.blocks)
	}
	if a := p.anchors(); !a["one-two"] || !a["codes-mr-1"] || len(a) != 2 {
		t.Errorf("anchors %v", a)
	}
}
