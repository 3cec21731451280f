//go:build mutants

package mutant

import "os"

// On reports whether the planted bug with this id is active: the one that the
// environment variable MILLRACE_MUTANT names.
func On(id string) bool { return active == id }

var active = os.Getenv("MILLRACE_MUTANT")
