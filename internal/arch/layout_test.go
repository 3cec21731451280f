package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// maxLines is where a file has another one hiding in it.
const maxLines = 600

// vague are names that say nothing of what is inside.
var vague = []string{"util", "utils", "common", "helper", "helpers", "misc", "pkg", "base", "shared"}

// A file of the module, taken apart.
type source struct {
	path  string // from the root of the module
	lines int
	tree  *ast.File
}

func sources(t *testing.T) []source {
	t.Helper()
	const root = "../.."
	var all []source
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || has(path, "go.mod")):
			return fs.SkipDir // what is no part of the module
		case d.IsDir() || filepath.Ext(path) != ".go":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		tree, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		all = append(all, source{filepath.ToSlash(name), strings.Count(string(text), "\n"), tree})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 100 {
		t.Fatalf("found %d files, which cannot be all", len(all))
	}
	return all
}

func has(dir, file string) bool {
	_, err := os.Stat(filepath.Join(dir, file))
	return err == nil
}

func TestFilesAreShort(t *testing.T) {
	for _, s := range sources(t) {
		if s.lines > maxLines {
			t.Errorf("%s has %d lines: what wants to grow past %d has a concept hiding in it", s.path, s.lines, maxLines)
		}
	}
}

// A package's manual is its doc.go; a command's may stand above its main.
func TestPackagesHaveManuals(t *testing.T) {
	documented, seen := map[string]bool{}, map[string]bool{}
	for _, s := range sources(t) {
		dir, base := filepath.Split(s.path)
		if strings.HasSuffix(base, "_test.go") {
			continue
		}
		seen[dir] = true
		isManual := base == "doc.go" || base == "main.go" && s.tree.Name.Name == "main"
		switch {
		case s.tree.Doc == nil:
		case isManual:
			documented[dir] = true
		default:
			t.Errorf("%s: the package's comment belongs into doc.go", s.path)
		}
	}
	for dir := range seen {
		if !documented[dir] {
			t.Errorf("%s has no doc.go with a comment", dir)
		}
	}
}

func TestPackagesAreNouns(t *testing.T) {
	for _, s := range sources(t) {
		for part := range strings.SplitSeq(filepath.Dir(s.path), "/") {
			if slices.Contains(vague, part) {
				t.Errorf("%s: %q says nothing of what is inside", s.path, part)
			}
		}
	}
}

// What nobody may call, and why.
var forbidden = map[string]string{
	"time.Sleep": "wait for what you wait for: a channel, a deadline, synctest",
}

func TestNobodySleeps(t *testing.T) {
	for _, s := range sources(t) {
		ast.Inspect(s.tree, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := selector.X.(*ast.Ident); ok {
				if reason := forbidden[x.Name+"."+selector.Sel.Name]; reason != "" {
					t.Errorf("%s uses %s.%s: %s", s.path, x.Name, selector.Sel.Name, reason)
				}
			}
			return true
		})
	}
}

// An init runs whether its package is wanted or not, and in an order that
// nobody reads.
func TestNothingRunsByItself(t *testing.T) {
	for _, s := range sources(t) {
		for _, decl := range s.tree.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s has an init", s.path)
			}
		}
	}
}

// A package whose tests start goroutines says so when one is left over.
func TestLeaksAreNoticed(t *testing.T) {
	starts, tested, checks := map[string]string{}, map[string]bool{}, map[string]bool{}
	for _, s := range sources(t) {
		dir, base := filepath.Split(s.path)
		test := strings.HasSuffix(base, "_test.go")
		tested[dir] = tested[dir] || test
		ast.Inspect(s.tree, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				if !test && s.tree.Name.Name != "main" {
					starts[dir] = s.path
				}
			case *ast.CallExpr: // of a sync.WaitGroup or an errgroup
				if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Go" && !test && s.tree.Name.Name != "main" {
					starts[dir] = s.path
				}
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "goleak" && test {
					checks[dir] = true
				}
			}
			return true
		})
	}
	for dir, file := range starts {
		if tested[dir] && !checks[dir] {
			t.Errorf("%s starts a goroutine, and no test of %s has goleak", file, dir)
		}
	}
}
