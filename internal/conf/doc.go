// Package conf reads the one file of configuration: strict YAML onto Go
// structs, with every fault of the file in one run, each with its line, its
// column and the nearest name that would have been right.
//
//	type Listener struct {
//		Name    string   `conf:"name,required" doc:"What messages call it."`
//		Address string   `conf:"address,required" example:"host:port" doc:"Where it listens."`
//		Auth    []string `conf:"auth" enum:"plain|scram-sha-256" doc:"SASL mechanisms."`
//	}
//
//	err := conf.Load("millrace.yaml", data, &settings)
//	// millrace.yaml:6:7: unknown key listeners[0].adress (did you mean address?)
//
// # From bytes to structs
//
//	bytes ─ Parse ─ *Node ─ Decode ─ struct
//	                 │ Properties          │
//	                 └──────── map[string]string ─ DecodeProperties
//
// A [Node] is a value with its place in the file; aliases and merge keys are
// already resolved in it. A struct field of type *Node keeps its subtree for
// a second decode against a type that is known later, as connector settings
// are, and that decode still reports the places of the file. The flat
// property map is Kafka Connect's form of the same tree: dotted paths, lists
// joined by commas, lists of objects numbered.
//
// # Tags
//
//	conf:"name"            the key; "-" leaves a field out
//	conf:"name,required"   its absence is an error
//	conf:"name,secret"     never shown; the type [Secret] says the same
//	conf:",inline"         the fields of a struct stand in its parent
//	default:"5s"           the value when the key is absent
//	enum:"a|b"             the values that are allowed
//	min:"1" max:"9"        bounds of numbers, durations and sizes
//	example:"host:port"    the form that a string has, for messages
//	doc:"..."              one sentence, for help and the REST definitions
//
// A field whose type implements [Custom] decodes itself. A struct that
// implements [Validator] is checked as a whole once it is decoded.
//
// # What a scalar may be
//
// Durations are 1h30m or 7d, sizes 64MiB (powers of two only: 10 MB is an
// error, because people mean both). A number in a string field is the text as
// written, so 0123 keeps its zero; a field with an example refuses it.
// ${env:NAME}, ${env:NAME:-default}, ${file:/path} and ${file:/path:key} are
// replaced while decoding, and $${ is a literal ${. Top-level keys that begin
// with x- are ignored and may hold anchors.
package conf
