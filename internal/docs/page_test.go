package docs

import "testing"

// root is the repository, seen from this package.
const root = "../.."

func pages(t *testing.T) []Page {
	t.Helper()
	all, err := Pages(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("found %d pages, which cannot be all", len(all))
	}
	return all
}

func TestPageIsTakenApart(t *testing.T) {
	p := parse("x.md", "# One: `two`\ntext\n```go\nvar x int\n```\n## Codes MR-1\n")
	if len(p.Blocks) != 1 || p.Blocks[0] != (Block{4, "go", "var x int\n"}) {
		t.Errorf("blocks %+v", p.Blocks)
	}
	if a := p.Anchors(); !a["one-two"] || !a["codes-mr-1"] || len(a) != 2 {
		t.Errorf("anchors %v", a)
	}
}
