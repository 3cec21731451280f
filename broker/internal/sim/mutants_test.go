//go:build mutants

package sim

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// planted are the bugs that the simulation has to catch: rows of the table in
// docs/reliability.md.
var planted = []string{"M23", "M24", "M25", "M26", "M27", "M33", "M35"}

// mutantSeeds is within how many seeds a bug must be caught, and how many the
// build without one has to pass.
const mutantSeeds = 300

// TestMutants plays the seeds with each planted bug in turn, in a process of
// its own. The same seeds must pass with none, or they would prove nothing.
func TestMutants(t *testing.T) {
	if err := hunt(t, ""); err != nil {
		t.Fatalf("without a planted bug:\n%v", err)
	}
	for _, id := range planted {
		t.Run(id, func(t *testing.T) {
			err := hunt(t, id)
			if err == nil {
				t.Fatalf("%s is not caught within %d seeds", id, mutantSeeds)
			}
			t.Log(firstLine(err.Error()))
		})
	}
}

// hunt plays the seeds in a process with one bug, and returns what it found.
func hunt(t *testing.T, id string) error {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestHunt$", "-test.v")
	cmd.Env = append(os.Environ(), "MILLRACE_MUTANT="+id, "MILLRACE_HUNT=1")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit) && strings.Contains(string(out), caught):
		return errors.New(string(out[strings.Index(string(out), caught):]))
	}
	t.Fatalf("the seeds did not run: %v\n%s", err, out)
	return nil
}

const caught = "caught: "

// TestHunt is TestMutants' other process.
func TestHunt(t *testing.T) {
	if os.Getenv("MILLRACE_HUNT") == "" {
		t.Skip("started by TestMutants")
	}
	for seed := range uint64(mutantSeeds) {
		if _, err := Play(seed + 1); err != nil {
			fmt.Println(caught + err.Error())
			t.FailNow()
		}
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
