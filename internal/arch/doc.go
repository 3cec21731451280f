// Package arch keeps the direction of imports, as a test that names the reason
// of every rule. It has no code of its own: go test ./internal/arch lists the
// imports of every package of the module and holds them against the table in
// arch_test.go.
package arch
