// Package mutant switches planted bugs on, by id, in builds with the tag
// mutants. Without the tag On is a constant false and the compiler removes
// the branch.
//
// A planted bug is one line beside the right one, and its id is a row of the
// table in docs/reliability.md. The simulation must catch each: a test that
// no bug can fail says nothing about the code.
package mutant
