package api

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/internal/record"
)

// Every exported error of the packages below has a code: a new one that is
// forgotten here would reach clients as UNKNOWN_SERVER_ERROR, which none of
// them can act on.
func TestEveryErrorHasACode(t *testing.T) {
	mapped := mappedNames(t)
	for _, dir := range []string{"../replica", "../producerstate", "../commitlog", "../wait", "../coordinator", "../quorum", "../../../internal/record"} {
		for _, name := range exportedErrors(t, dir) {
			if !mapped[name] {
				t.Errorf("%s is not in the table of errors.go", name)
			}
		}
	}
}

// mappedNames reads the table from the source: "replica.ErrNotLeader".
func mappedNames(t *testing.T) map[string]bool {
	file, err := parser.ParseFile(token.NewFileSet(), "errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if pkg, ok := sel.X.(*ast.Ident); ok {
				names[pkg.Name+"."+sel.Sel.Name] = true
			}
		}
		return true
	})
	return names
}

// exportedErrors lists the variables of a package that begin with Err.
func exportedErrors(t *testing.T, dir string) (names []string) {
	packages, err := parser.ParseDir(token.NewFileSet(), dir, func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }, 0)
	if errors.Is(err, os.ErrNotExist) || len(packages) == 0 {
		t.Fatalf("%s has no Go files", dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	for pkg, parsed := range packages {
		for _, file := range parsed.Files {
			for _, decl := range file.Decls {
				for _, name := range declaredErrors(decl) {
					names = append(names, pkg+"."+name)
				}
			}
		}
	}
	return names
}

func declaredErrors(decl ast.Decl) (names []string) {
	gen, ok := decl.(*ast.GenDecl)
	if !ok || gen.Tok != token.VAR {
		return nil
	}
	for _, spec := range gen.Specs {
		for _, name := range spec.(*ast.ValueSpec).Names {
			if strings.HasPrefix(name.Name, "Err") {
				names = append(names, name.Name)
			}
		}
	}
	return names
}

func TestCodeOf(t *testing.T) {
	for _, test := range []struct {
		err  error
		want *kerr.Error
	}{
		{nil, nil},
		{fmt.Errorf("t-0: %w", replica.ErrNotLeader), kerr.NotLeaderForPartition},
		{fmt.Errorf("%w: %w", replica.ErrStorage, context.Canceled), kerr.KafkaStorageError},
		{record.ErrShort, kerr.CorruptMessage},
		{record.ErrTooLarge, kerr.InvalidRecord},
		{fmt.Errorf("no: %w", kerr.PolicyViolation), kerr.PolicyViolation},
		{errors.New("a surprise"), kerr.UnknownServerError},
	} {
		if got := codeOf(test.err); got != test.want {
			t.Errorf("%v became %v, want %v", test.err, got, test.want)
		}
	}
}
