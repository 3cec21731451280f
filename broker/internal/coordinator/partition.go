package coordinator

import "unicode/utf16"

// PartitionFor returns the partition of __consumer_offsets that holds a group,
// or of __transaction_state that holds a transactional id: Java's hash of it, made positive, modulo the number of partitions. Every
// broker and every tool that reads the topic computes it alike.
func PartitionFor(id string, partitions int32) int32 {
	if partitions <= 0 {
		return 0
	}
	return javaHash(id) % partitions
}

// javaHash is Utils.abs(String.hashCode()): over UTF-16 code units, with the
// one value that has no positive counterpart mapped to zero.
func javaHash(s string) int32 {
	var h int32
	for _, unit := range utf16.Encode([]rune(s)) {
		h = 31*h + int32(unit)
	}
	if h < 0 {
		h = -h
	}
	return max(h, 0)
}
