// Package record reads and writes Kafka's record batches (format version 2,
// KIP-98), the unit that producers send, the log stores and consumers fetch.
//
// The bytes are the same on the wire and on disk, so a [Batch] is a view over
// a byte slice and nothing is decoded to store, copy or serve it:
//
//	 0  base offset             int64   \
//	 8  length of what follows  int32    | outside the CRC:
//	12  partition leader epoch  int32    | [Batch.Stamp] changes them in place
//	16  magic = 2               int8    /
//	17  CRC-32C of all below    uint32
//	21  attributes              int16    0-2 codec, 3 log append time,
//	                                     4 transactional, 5 control,
//	                                     6 delete horizon (KIP-534)
//	23  last offset delta       int32
//	27  base timestamp          int64    ms since the epoch
//	35  max timestamp           int64
//	43  producer id             int64    -1: not idempotent
//	51  producer epoch          int16
//	53  base sequence           int32
//	57  count of records        int32
//	61  records, or one compressed block that holds them
//
// A record, all integers but attributes as zig-zag varints:
//
//	length | attributes int8 | timestamp delta | offset delta
//	key length | key | value length | value
//	header count | { key length | key | value length | value } ...
//
// A length of -1 stands for null; null and empty are kept apart.
//
// # Checking
//
// [Next] cuts one batch off a byte slice and looks at framing only. What
// comes from a client then goes through [Batch.Check] (header and CRC, the
// count against the last offset delta) and [Batch.CheckRecords] (the records
// of an uncompressed batch). A log that was compacted holds batches with
// fewer records than offsets, so recovery uses [Batch.CheckStored]. Every
// accessor may be called on anything that Next returned, or on the first
// [HeaderSize] bytes of it.
//
// # Memory
//
// Reading a header, checking and walking records allocate nothing. Keys,
// values and headers alias the batch. Decompression is bounded: see
// [Decompressor]. Package record needs no other package of this module.
package record
