package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// A Page is a Markdown file of the repository.
type Page struct {
	Path string // from the root, with slashes
	Text string
	// Prose is the text line for line, with code blocks left empty.
	Prose  []string
	Blocks []Block
}

// A Block is fenced code.
type Block struct {
	Line     int // of its first line of code
	Language string
	Code     string
}

// notOurs are directories that hold no pages of the repository.
var notOurs = map[string]bool{".git": true, "bin": true, "node_modules": true}

// Pages reads all Markdown below the root of the repository.
func Pages(root string) ([]Page, error) {
	var pages []Page
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && notOurs[d.Name()]:
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".md":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		pages = append(pages, parse(filepath.ToSlash(name), string(text)))
		return err
	})
	return pages, err
}

// parse takes a page apart.
func parse(path, text string) Page {
	p := Page{Path: path, Text: text}
	var open *Block
	for number, line := range strings.Split(text, "\n") {
		language, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open == nil:
			open = &Block{Line: number + 2, Language: language}
		case fence:
			p.Blocks = append(p.Blocks, *open)
			open = nil
		case open != nil:
			open.Code += line + "\n"
		default:
			p.Prose = append(p.Prose, line)
			continue
		}
		p.Prose = append(p.Prose, "")
	}
	return p
}

// notInAnchors is what GitHub leaves out of the anchor of a heading.
var notInAnchors = regexp.MustCompile("[^a-z0-9 _-]")

// Anchors are the ids of a page's headings.
func (p Page) Anchors() map[string]bool {
	found := map[string]bool{}
	for _, line := range p.Prose {
		if heading := strings.TrimLeft(line, "#"); heading != line && strings.HasPrefix(heading, " ") {
			text := notInAnchors.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), "")
			found[strings.ReplaceAll(text, " ", "-")] = true
		}
	}
	return found
}
