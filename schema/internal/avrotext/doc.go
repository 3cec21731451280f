// Package avrotext writes Avro schemas as Java's Schema.toString does: the text
// that a Confluent registry stores, returns and hashes. Two registries agree on
// a schema's id, MD5 and GUID only if they agree on this text to the byte.
//
// The form, from apache/avro's Schema.java (facts, not code):
//
//	named type   type, name, namespace, doc, fields | symbols, default | size,
//	             properties, aliases
//	field        name, type, doc, default, order, aliases, properties
//	array, map   type, items | values, properties
//	primitive    its name in quotes; an object only if it has properties
//
// A namespace is written only where it differs from the enclosing one, a name
// defined before only as a reference, an order only if it is not ascending.
// Properties keep the order they had; with normalize they are sorted, so that
// texts which differ in nothing else become one.
//
// Only the text is the matter here. What a schema means is checked by
// twmb/avro; avrotext checks what it must understand, and says where in the
// text the fault is.
package avrotext
