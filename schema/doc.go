// Package schema gives records a schema: a client of a schema registry, and
// serdes that turn Go values into registered Avro and back.
//
//	client, err := schema.NewClient("http://localhost:8081")
//	orders, err := schema.Avro[Order](client, schema.AutoRegister(true))
//	b, err := orders.Encode(ctx, "orders", Order{ID: 7})
//	order, err := orders.Decode(ctx, "orders", b)
//
// # The pieces
//
//	Client          what a registry knows, cached: schema by id, id by schema, latest
//	Avro[T]         structs, on twmb/avro; the schema comes from T or from a file
//	Generic         records as maps, on goavro; also JSON text to Avro and back
//	registry        the server, over a compacted topic of any Kafka
//	compat          the compatibility rules, pure, every difference with its remedy
//	schematest      a registry in the process, for tests
//
// # Wire format
//
// A value is Confluent's version 0 frame, so any client of a Confluent
// registry reads it:
//
//	 0      1              5
//	+------+--------------+-----------------
//	| 0x00 | id, int32 BE | Avro binary ...
//	+------+--------------+-----------------
//
// A nil value is a tombstone. It is never encoded as Avro null, and decoding
// it is an error: the caller decides what a tombstone means before it asks for
// a value.
//
// # Who writes, who reads
//
// A serde writes with its own schema, the writer schema, whose id it looks up
// in the registry once per subject. By default the schema must be registered
// already; [AutoRegister] registers it. Data written with another version is
// resolved to the serde's schema field by field, as the Avro specification
// says: fields match by name or alias, absent ones take their default, numbers
// are promoted. The resolution is compiled once per writer id.
//
// # Caches
//
// A schema behind an id never changes, so ids are cached for ever, read
// without a lock and without an allocation. The latest version of a subject is
// cached for [LatestTTL]; an id that the registry does not know is remembered
// as missing for a second. However many goroutines miss the same entry, one
// request is made.
//
// # Errors
//
// Every error is an [*Error]. Ask errors.Is for what happened:
// [ErrNotFound], [ErrIncompatible], [ErrPoison] for bytes that can never be
// decoded and belong into dead letters, [ErrUnavailable] for a registry that
// does not answer, where trying again may help.
//
// # Goroutines
//
// A request to the registry runs in a goroutine of its own, so that a caller
// whose context ends stops waiting while others still get the answer. It ends
// with the request's deadline or with [Client.Close], which waits for it.
package schema
