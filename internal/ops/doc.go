// Package ops holds operations on a cluster as plain Go: topics, groups,
// producing and consuming. The command, the console and REST share them, so a
// thing is listed, created or refused the same way everywhere.
//
// Everything speaks only Kafka's protocol through a cluster.Profile. Results
// are plain structs with JSON names; errors are [Fault] values that say what
// failed, where and why, and one thing to try, with a stable code that
// docs/errors.md explains.
package ops
