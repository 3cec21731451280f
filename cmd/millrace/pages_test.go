package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/millrace-io/millrace/internal/docs"
	"github.com/millrace-io/millrace/internal/node"
)

func pages(t *testing.T) []docs.Page {
	t.Helper()
	all, err := docs.Pages("../..")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestConsoleBlocks runs what pages show of a terminal, the blocks of a page
// one after the other, and compares what is printed. The node that a block
// starts takes free ports, to which the commands after it are pointed.
func TestConsoleBlocks(t *testing.T) {
	dir := t.TempDir()
	for _, p := range pages(t) {
		var blocks []docs.Block
		for _, b := range p.Blocks {
			if b.Language == "console" {
				blocks = append(blocks, b)
			}
		}
		if len(blocks) == 0 {
			continue
		}
		name := strings.NewReplacer("/", "-", ".md", ".txtar").Replace(p.Path)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script(p, blocks)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	testscript.Run(t, params(dir))
}

// script makes a script out of console blocks: each line behind "$ " is a
// command, the lines after it are all that it prints.
func script(p docs.Page, blocks []docs.Block) string {
	var steps, files strings.Builder
	for _, b := range blocks {
		for i, call := range strings.Split("\n"+b.Code, "\n$ ")[1:] {
			line, printed, _ := strings.Cut(strings.TrimSuffix(call, "\n"), "\n")
			fmt.Fprintf(&steps, "# %s, block at line %d\n", p.Path, b.Line)
			if args, ok := strings.CutPrefix(line, "millrace dev"); ok {
				fmt.Fprintf(&steps, "serve dev dev --port 0%s\nawaits dev '^%s'\n", args, shape(printed))
				continue
			}
			expect := "exec"
			if strings.Contains(printed, "error: ") {
				expect = "! exec"
			}
			if printed != "" {
				printed += "\n"
			}
			file := fmt.Sprintf("expected-%d-%d", b.Line, i)
			fmt.Fprintf(&steps, "%s sh -c '{ %s; } 2>&1'\ncmp stdout %s\n", expect, strings.ReplaceAll(line, "'", "''"), file)
			fmt.Fprintf(&files, "-- %s --\n%s", file, printed)
		}
	}
	return steps.String() + files.String()
}

// shape is a pattern for what a node prints at its start, whose ports and
// milliseconds differ.
func shape(printed string) string {
	text := strings.ReplaceAll(regexp.QuoteMeta(printed), "\n", `\n`)
	text = regexp.MustCompile(`127\\\.0\\\.0\\\.1:\d+`).ReplaceAllString(text, `127\.0\.0\.1:\d+`)
	return regexp.MustCompile(`after \d+ ms`).ReplaceAllString(text, `after \d+ ms`)
}

// A configuration that a page shows is one that the command accepts.
func TestPagesConfigurations(t *testing.T) {
	count := 0
	for _, p := range pages(t) {
		for _, b := range p.Blocks {
			if b.Language != "yaml" {
				continue
			}
			count++
			if _, err := node.LoadFile(p.Path, []byte(strings.Repeat("\n", b.Line-1)+b.Code)); err != nil {
				t.Error(err)
			}
		}
	}
	if count == 0 {
		t.Error("no page has a configuration")
	}
}

// invocation is a use of the command in prose, in a table or in a block; what
// follows a pipe, a comment or a redirection is not its own.
var invocation = regexp.MustCompile("(?m)(?:`|^(?: {4})?(?:\\$ )?|\\| )(millrace [^`|#>\n]*)")

// cells are those of a table that begin with the product's name, such as what
// was measured. They are no commands behind a pipe: those stand in backquotes.
var cells = regexp.MustCompile("\\| millrace [^|`\n]*\\|")

// Commands and flags that a page names exist.
func TestPagesCommands(t *testing.T) {
	count := 0
	for _, p := range pages(t) {
		text := cells.ReplaceAllString(strings.Join(p.Prose, "\n"), "")
		for _, b := range p.Blocks {
			if b.Language == "sh" || b.Language == "console" {
				text += "\n" + b.Code
			}
		}
		for _, m := range invocation.FindAllStringSubmatch(text, -1) {
			count++
			if err := parses(strings.Fields(m[1])[1:]); err != nil {
				t.Errorf("%s: %s: %v", p.Path, strings.TrimSpace(m[1]), err)
			}
		}
	}
	if count < 20 {
		t.Errorf("found %d uses of the command, which cannot be all", count)
	}
}

// parses looks a command up and reads its flags, without running it.
func parses(args []string) error {
	s := &shell{in: strings.NewReader(""), out: io.Discard, errs: io.Discard}
	command, rest, err := s.root().Find(args)
	if err != nil {
		return err
	}
	if command.HasSubCommands() && len(rest) > 0 {
		return fmt.Errorf("%q has no command %q", command.CommandPath(), rest[0])
	}
	var flags []string // a flag that a page names without its value
	for i, arg := range rest {
		flags = append(flags, arg)
		if f := lookup(command, arg); f != "" && (i == len(rest)-1 || strings.HasPrefix(rest[i+1], "-")) {
			flags = append(flags, f)
		}
	}
	return command.ParseFlags(flags)
}

// lookup is a value that fits the flag, where the flag needs one.
func lookup(c *cobra.Command, arg string) string {
	f := c.Flags().Lookup(strings.TrimLeft(arg, "-"))
	if f == nil || !strings.HasPrefix(arg, "--") || f.NoOptDefVal != "" {
		return ""
	}
	if f.DefValue == "" {
		return "x"
	}
	return f.DefValue
}
