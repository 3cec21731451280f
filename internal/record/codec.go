package record

import "strconv"

// Codec is a compression codec by its number in the attributes.
type Codec uint8

// The codecs of Kafka. Zstd needs Produce version 7 (KIP-110).
const (
	None Codec = iota
	Gzip
	Snappy
	LZ4
	Zstd
)

// String returns the codec's name in Kafka's compression.type.
func (c Codec) String() string {
	switch c {
	case None:
		return "none"
	case Gzip:
		return "gzip"
	case Snappy:
		return "snappy"
	case LZ4:
		return "lz4"
	case Zstd:
		return "zstd"
	default:
		return "codec(" + strconv.Itoa(int(c)) + ")"
	}
}
