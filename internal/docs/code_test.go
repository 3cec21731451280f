package docs

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/millrace-io/millrace/"

// packages are those that code in the pages may use by name, without saying
// from where.
var packages = map[string]string{
	"context": "context", "errors": "errors", "fmt": "fmt", "log": "log", "os": "os", "testing": "testing", "time": "time",
	"kgo":    "github.com/twmb/franz-go/pkg/kgo",
	"broker": module + "broker", "brokertest": module + "broker/brokertest", "cluster": module + "cluster",
	"connect": module + "connect", "mirrormaker": module + "mirrormaker", "schema": module + "schema",
	"serde": module + "streams/serde", "streams": module + "streams", "streamstest": module + "streams/streamstest",
}

// Go that stands in a page can be copied: it compiles. The blocks of a page
// are one file, so a later one may use what an earlier one declares.
func TestGoCompiles(t *testing.T) {
	count := 0
	for _, p := range pages(t) {
		source := ""
		for _, b := range p.Blocks {
			if b.Language == "go" {
				count++
				source += fmt.Sprintf("//line %s:%d\n%s", p.Path, b.Line, b.Code)
			}
		}
		if source != "" {
			t.Run(p.Path, func(t *testing.T) { compile(t, source) })
		}
	}
	if count == 0 {
		t.Error("no page has any Go")
	}
}

// compile builds a file as a package of this module that only the compiler
// sees.
func compile(t *testing.T, source string) {
	file, err := parser.ParseFile(token.NewFileSet(), "", "package page\n"+source, 0)
	if err != nil {
		t.Fatal(err)
	}
	imports := ""
	for _, name := range slices.Sorted(maps.Keys(used(file))) {
		imports += fmt.Sprintf("import %q\n", packages[name])
	}
	dir := t.TempDir()
	real, overlay := filepath.Join(dir, "page.go"), filepath.Join(dir, "overlay.json")
	write(t, real, "package page\n"+imports+source)
	seen, err := filepath.Abs(filepath.Join("page", "page.go"))
	if err != nil {
		t.Fatal(err)
	}
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{seen: real}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, overlay, string(replace))
	if out, err := exec.Command("go", "build", "-o", os.DevNull, "-overlay", overlay, "./page").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// used are the names of packages that a file uses without importing them.
func used(file *ast.File) map[string]bool {
	names := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := selector.X.(*ast.Ident); ok && x.Obj == nil && packages[x.Name] != "" {
			names[x.Name] = true
		}
		return true
	})
	return names
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A block that is no known language is shown without colours and run by
// nobody, which should be meant.
func TestBlocksSayWhatTheyAre(t *testing.T) {
	known := []string{"go", "sh", "console", "yaml", "json", "text"}
	for _, p := range pages(t) {
		for _, b := range p.Blocks {
			if !slices.Contains(known, b.Language) {
				t.Errorf("%s:%d: a block of %q: need one of %s", p.Path, b.Line, b.Language, strings.Join(known, ", "))
			}
		}
	}
}
