// Package file holds the connectors of files: file-source reads lines into a
// topic, file-sink writes records as lines of JSON.
//
// # Where a source is
//
// A source partition is a path; its position is the file's identity (inode
// and a fingerprint of its first bytes) and the offset behind the last line,
// in the text as it is after decompression:
//
//	["weblog", {"path": "/var/log/access.log"}]
//	{"inode": 131, "fingerprint": "9f86d081884c7d65", "fingerprint_bytes": 256, "offset": 40960}
//
// The identity tells a file that was renamed from one that was replaced. A
// renamed file is read to its end before the new one under its path begins,
// also when that happened while nothing ran, as long as it is still in the
// same directory. A file that became shorter was truncated (copytruncate) and
// is read from its beginning. Choose a glob that does not match the names
// that rotation gives, since a second rotation is not followed through a
// restart.
//
// gzip is seen by its magic bytes, not by the name. A compressed file that is
// cut short gives the lines that are whole and is tried again when it grows.
//
// A last line without a newline is held until it ends: its writer may be in
// the middle of it. With at_eof: emit it is a record at once, and what is
// added to it later becomes a record of its own.
//
// # What a sink keeps
//
// The sink appends a line per record and syncs the files before it reports
// anything as flushed. After a crash a line may be there again, and never a
// half: a last line without a newline is cut when the file is opened, because
// its record cannot have been flushed.
package file
