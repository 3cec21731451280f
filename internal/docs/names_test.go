package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// named matches `path/file.go: Name` and `path/file.go: Type.Name`; path
// matches `path/file.go` and `path/` alone.
var (
	named = regexp.MustCompile("`([\\w./-]+\\.go): ([\\w.]+)`")
	plain = regexp.MustCompile("`([\\w-]+/[\\w./-]*)`")
)

// below are the directories from which a path may begin: a path that begins
// with none of the repository's is one of the broker's rooms.
var below = []string{"", "broker/internal"}

// find returns where a path of a page leads.
func find(name string) (string, bool) {
	for _, dir := range below {
		full := filepath.Join(root, dir, filepath.FromSlash(name))
		if _, err := os.Stat(full); err == nil {
			return full, true
		}
	}
	return "", false
}

// A page that names code is read with the code at hand: what it names is where
// it says.
func TestNamesAreDeclared(t *testing.T) {
	count := 0
	for _, p := range pages(t) {
		if !strings.HasPrefix(p.Path, "docs/") || strings.HasPrefix(p.Path, "docs/adr/") {
			continue // a decision tells of its day
		}
		for number, line := range p.Prose {
			for _, m := range named.FindAllStringSubmatch(line, -1) {
				count++
				file, ok := find(m[1])
				if !ok {
					t.Errorf("%s:%d: %s: there is no such file", p.Path, number+1, m[1])
					continue
				}
				if names := declarations(t, file); !names[m[2]] {
					t.Errorf("%s:%d: %s does not declare %s", p.Path, number+1, m[1], m[2])
				}
			}
		}
	}
	if count < 100 {
		t.Errorf("found %d names, which cannot be all", count)
	}
}

// top are the directories of the repository that paths in prose begin with.
var top = regexp.MustCompile(`^(cluster|broker|streams|schema|connect|mirrormaker|examples|cmd|internal|test|docs)/`)

func TestPathsExist(t *testing.T) {
	for _, p := range pages(t) {
		for number, line := range p.Prose {
			for _, m := range plain.FindAllStringSubmatch(line, -1) {
				if !top.MatchString(m[1]) && !strings.HasSuffix(m[1], ".go") {
					continue
				}
				if _, ok := find(m[1]); !ok {
					t.Errorf("%s:%d: %s does not exist", p.Path, number+1, m[1])
				}
			}
		}
	}
}

// declarations are the names that a file declares at its top level; methods and
// fields as Type.Name.
func declarations(t *testing.T, file string) map[string]bool {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, decl := range parsed.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			if decl.Recv == nil {
				names[decl.Name.Name] = true
			} else {
				names[receiver(decl.Recv.List[0].Type)+"."+decl.Name.Name] = true
			}
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				declared(spec, names)
			}
		}
	}
	return names
}

func declared(spec ast.Spec, names map[string]bool) {
	switch spec := spec.(type) {
	case *ast.ValueSpec:
		for _, name := range spec.Names {
			names[name.Name] = true
		}
	case *ast.TypeSpec:
		names[spec.Name.Name] = true
		for _, member := range members(spec.Type) {
			for _, name := range member.Names {
				names[spec.Name.Name+"."+name.Name] = true
			}
		}
	}
}

func members(typ ast.Expr) []*ast.Field {
	switch typ := typ.(type) {
	case *ast.StructType:
		return typ.Fields.List
	case *ast.InterfaceType:
		return typ.Methods.List
	}
	return nil
}

// receiver is the name of a method's type, without star and type parameters.
func receiver(typ ast.Expr) string {
	switch typ := typ.(type) {
	case *ast.StarExpr:
		return receiver(typ.X)
	case *ast.IndexExpr:
		return receiver(typ.X)
	case *ast.IndexListExpr:
		return receiver(typ.X)
	case *ast.Ident:
		return typ.Name
	}
	return ""
}
