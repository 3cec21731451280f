// Package arch keeps the shape of the module, as tests that name the reason of
// every rule. It has no code of its own: go test ./internal/arch lists the
// imports of every package and holds them against the table in arch_test.go,
// and reads every file for what layout_test.go wants of it: length, manuals,
// names, and what nobody may call.
package arch
