package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// codes are the error codes of internal/ops, by the names of their constants.
func codes(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	ast.Inspect(source(t, filepath.Join(root, "internal/ops/fault.go")), func(n ast.Node) bool {
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

func source(t *testing.T, file string) *ast.File {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// faulty are the packages whose errors people see.
func faulty(t *testing.T) map[string]*ast.File {
	t.Helper()
	files := map[string]*ast.File{}
	for _, dir := range []string{"internal/ops", "cmd/millrace"} {
		names, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
		if err != nil || len(names) == 0 {
			t.Fatal(dir, err)
		}
		for _, name := range names {
			if !strings.HasSuffix(name, "_test.go") {
				files[name] = source(t, name)
			}
		}
	}
	return files
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

// Every code is that of some error, and every fault is made with a kind, which
// becomes the exit code, and with a code.
func TestFaultsHaveCodes(t *testing.T) {
	unused := codes(t)
	count := 0
	for name, file := range faulty(t) {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				return !strings.HasPrefix(n.Names[0].Name, "Code") // the declaration is no use
			case *ast.Ident:
				delete(unused, n.Name)
			case *ast.CompositeLit:
				if typeName(n.Type) == "Fault" {
					count++
					if !has(n, "Kind") || !has(n, "Code") {
						t.Errorf("%s: a Fault is made without kind or code", name)
					}
				}
			}
			return true
		})
	}
	for name := range unused {
		t.Errorf("no error has the code %s", name)
	}
	if count < 10 {
		t.Errorf("found %d faults, which cannot be all", count)
	}
}

func typeName(typ ast.Expr) string {
	switch typ := typ.(type) {
	case *ast.Ident:
		return typ.Name
	case *ast.SelectorExpr:
		return typ.Sel.Name
	}
	return ""
}

func has(literal *ast.CompositeLit, field string) bool {
	return slices.ContainsFunc(literal.Elts, func(e ast.Expr) bool {
		pair, ok := e.(*ast.KeyValueExpr)
		return ok && typeName(pair.Key) == field
	})
}
