// Package avroscan checks that bytes are one Avro value of a schema, without
// decoding them: no allocation, one pass.
//
// It stands before every decoder that trusts lengths. Four hostile bytes, a
// block count of 2^27 in front of nothing, make goavro allocate a gigabyte; a
// scan refuses them, because so many items cannot be in so few bytes:
//
//	count of a block        at most the bytes left / the smallest item
//	items of no bytes       at most MaxEmptyItems in a value (arrays of null)
//	byte size of a block    is what its items take
//	length of bytes, string at most the bytes left
//	string                  valid UTF-8
//	int, long               a varint of at most 5 or 10 bytes, within range
//	boolean                 0 or 1
//	enum, union             an index that the schema has
//	nesting                 at most MaxDepth
//
// After a scan a decoder's memory is bounded by a constant factor of its
// input.
package avroscan
