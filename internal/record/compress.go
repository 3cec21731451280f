package record

import (
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// DefaultLevel leaves a codec's level to the codec.
const DefaultLevel = -1 << 31

// Compressor packs records and keeps the codecs' tables for the next batch.
// The zero value is ready. It serves one goroutine.
type Compressor struct {
	gzip *gzip.Writer
	lz4  *lz4.Writer
	zstd *zstd.Encoder
	// level is what the encoder in use was made for.
	level    int
	leveled  bool
	outgoing bytes.Buffer
}

// Append appends the compressed records to dst, at the codec's own level.
func (c *Compressor) Append(dst []byte, codec Codec, records []byte) ([]byte, error) {
	return c.AppendLevel(dst, codec, DefaultLevel, records)
}

// AppendLevel is Append with a level of the topic configs
// compression.{gzip,lz4,zstd}.level.
func (c *Compressor) AppendLevel(dst []byte, codec Codec, level int, records []byte) ([]byte, error) {
	if !c.leveled || c.level != level {
		*c = Compressor{level: level, leveled: true}
	}
	switch codec {
	case None:
		return append(dst, records...), nil
	case Snappy:
		// One raw block: every reader of the format takes it, and clients in
		// Go send it so.
		at := len(dst)
		dst = grow(dst, snappy.MaxEncodedLen(len(records)))
		packed := snappy.Encode(dst[at:cap(dst)], records)
		return dst[:at+len(packed)], nil
	case Gzip, LZ4, Zstd:
	default:
		return dst, fmt.Errorf("%w: %d", ErrCodec, codec)
	}
	c.outgoing = *bytes.NewBuffer(dst)
	w, err := c.writer(codec)
	if err == nil {
		if _, err = w.Write(records); err == nil {
			err = w.Close()
		}
	}
	dst = c.outgoing.Bytes()
	c.outgoing = bytes.Buffer{}
	return dst, err
}

// writer is the codec's encoder, made or used again.
func (c *Compressor) writer(codec Codec) (io.WriteCloser, error) {
	var err error
	switch codec {
	case Gzip:
		if c.gzip == nil {
			level := c.level
			if level == DefaultLevel {
				level = gzip.DefaultCompression
			}
			if c.gzip, err = gzip.NewWriterLevel(&c.outgoing, level); err != nil {
				return nil, err
			}
		}
		c.gzip.Reset(&c.outgoing)
		return c.gzip, nil
	case LZ4:
		if c.lz4 == nil {
			c.lz4 = lz4.NewWriter(&c.outgoing)
			if err := c.lz4.Apply(lz4.BlockSizeOption(lz4.Block64Kb), lz4.CompressionLevelOption(lz4Level(c.level))); err != nil {
				return nil, err
			}
		}
		c.lz4.Reset(&c.outgoing)
		return c.lz4, nil
	case Zstd:
		if c.zstd == nil {
			if c.zstd, err = zstd.NewWriter(&c.outgoing, zstd.WithEncoderConcurrency(1),
				zstd.WithWindowSize(maxZstdWindow), zstd.WithEncoderLevel(zstdLevel(c.level))); err != nil {
				return nil, err
			}
		}
		c.zstd.Reset(&c.outgoing)
		return c.zstd, nil
	case None, Snappy: // AppendLevel's own
	}
	return nil, fmt.Errorf("%w: %d", ErrCodec, codec)
}

// lz4Level maps Kafka's 1 to 17 onto the encoder's fast mode and nine levels.
func lz4Level(level int) lz4.CompressionLevel {
	if level < 2 {
		return lz4.Fast
	}
	return lz4.Level1 << min(level-2, 8)
}

func zstdLevel(level int) zstd.EncoderLevel {
	if level == DefaultLevel {
		return zstd.SpeedDefault
	}
	return zstd.EncoderLevelFromZstd(level)
}
