package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Bounds of decompression. A batch expands to at most its limit and to at
// most a thousand times its size; the ratio counts only above a floor, since
// a batch of equal small records is no attack.
const (
	defaultExpandLimit = 16 << 20
	maxExpandRatio     = 1000
	expandRatioFloor   = 1 << 20
	maxZstdWindow      = 8 << 20
	// A snappy block's length field is believed up to this ratio: the format
	// cannot reach 22 (a copy of 64 bytes takes three).
	maxSnappyRatio = 32
)

// Decompressor opens compressed batches and keeps what can be used again: the
// output buffer and the codecs' tables. The zero value is ready. It serves
// one goroutine; Close frees it.
type Decompressor struct {
	// Limit bounds the expanded size of one batch in bytes. Zero means the
	// larger of 16 MiB and four times the batch.
	Limit int

	source bytes.Reader
	out    []byte
	gzip   *gzip.Reader
	lz4    *lz4.Reader
	zstd   *zstd.Decoder
}

// Close frees the codecs. The Decompressor may be used again.
func (d *Decompressor) Close() {
	if d.zstd != nil {
		d.zstd.Close()
	}
	*d = Decompressor{Limit: d.Limit}
}

// Expand returns the records of b as they would stand in an uncompressed
// batch. The result is valid until the next call; where b is not compressed,
// it aliases b.
func (d *Decompressor) Expand(b Batch) ([]byte, error) {
	payload := b.Payload()
	limit := d.limit(len(payload))
	d.out = d.out[:0]
	d.source.Reset(payload)
	var err error
	switch codec := b.Codec(); codec {
	case None:
		return payload, nil
	case Gzip:
		err = d.expandGzip(limit)
	case Snappy:
		err = d.expandSnappy(payload, limit)
	case LZ4:
		err = d.expandLZ4(limit)
	case Zstd:
		err = d.expandZstd(limit)
	default:
		return nil, b.fault(ErrCodec, "%d", codec)
	}
	switch {
	case errors.Is(err, ErrTooLarge):
		return nil, b.fault(ErrTooLarge, "%v: more than %d bytes out of %d", b.Codec(), limit, len(payload))
	case err != nil:
		return nil, b.fault(ErrInvalid, "%v: %v", b.Codec(), err)
	}
	return d.out, nil
}

func (d *Decompressor) limit(size int) int {
	limit := d.Limit
	if limit == 0 {
		limit = max(defaultExpandLimit, 4*size)
	}
	return min(limit, max(expandRatioFloor, maxExpandRatio*size))
}

func (d *Decompressor) expandGzip(limit int) error {
	if d.gzip == nil {
		d.gzip = new(gzip.Reader)
	}
	if err := d.gzip.Reset(&d.source); err != nil {
		return err
	}
	d.gzip.Multistream(false) // one member: what follows is no part of a batch
	return d.drain(d.gzip, limit)
}

func (d *Decompressor) expandLZ4(limit int) error {
	if d.lz4 == nil {
		d.lz4 = lz4.NewReader(nil)
	}
	d.lz4.Reset(&d.source)
	return d.drain(d.lz4, limit)
}

func (d *Decompressor) expandZstd(limit int) error {
	if d.zstd == nil {
		dec, err := zstd.NewReader(nil,
			zstd.WithDecoderConcurrency(1), // no goroutines
			zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err != nil {
			return err
		}
		d.zstd = dec
	}
	if err := d.zstd.Reset(&d.source); err != nil {
		return err
	}
	return d.drain(d.zstd, limit)
}

// drain reads r into out. The buffer grows with what arrives, not with what a
// header claims.
func (d *Decompressor) drain(r io.Reader, limit int) error {
	for {
		if len(d.out) == cap(d.out) {
			grown := make([]byte, len(d.out), min(max(2*cap(d.out), 4<<10), limit+1))
			copy(grown, d.out)
			d.out = grown
		}
		n, err := r.Read(d.out[len(d.out):cap(d.out)])
		d.out = d.out[:len(d.out)+n]
		switch {
		case len(d.out) > limit:
			return ErrTooLarge
		case errors.Is(err, io.EOF):
			return d.checkConsumed()
		case err != nil:
			return err
		}
	}
}

func (d *Decompressor) checkConsumed() error {
	if d.source.Len() > 0 {
		return fmt.Errorf("%d bytes follow the compressed records", d.source.Len())
	}
	return nil
}

// xerialMagic begins the framing that Java clients wrap snappy blocks in,
// followed by two version numbers and then blocks with a length each.
const (
	xerialMagic  = "\x82SNAPPY\x00"
	xerialHeader = len(xerialMagic) + 8
)

// expandSnappy reads both kinds of snappy that clients send: xerial's blocks
// and one raw block.
func (d *Decompressor) expandSnappy(src []byte, limit int) error {
	if !bytes.HasPrefix(src, []byte(xerialMagic)) {
		return d.snappyBlock(src, limit)
	}
	if len(src) < xerialHeader {
		return errors.New("xerial header ends early")
	}
	for src = src[xerialHeader:]; len(src) > 0; {
		if len(src) < 4 {
			return errors.New("xerial block length ends early")
		}
		n := binary.BigEndian.Uint32(src)
		src = src[4:]
		if uint64(n) > uint64(len(src)) {
			return fmt.Errorf("xerial block of %d bytes, %d are there", n, len(src))
		}
		if err := d.snappyBlock(src[:n], limit); err != nil {
			return err
		}
		src = src[n:]
	}
	return nil
}

// snappyBlock appends one block to out. Its length is checked before memory
// is taken for it (CVE-2023-34455).
func (d *Decompressor) snappyBlock(block []byte, limit int) error {
	size, err := snappy.DecodedLen(block)
	if err != nil {
		return err
	}
	at := len(d.out)
	if size > limit-at {
		return ErrTooLarge
	}
	if size > maxSnappyRatio*len(block) {
		return fmt.Errorf("block of %d bytes claims to hold %d", len(block), size)
	}
	d.out = grow(d.out, size)
	out, err := snappy.Decode(d.out[at:at+size], block)
	if err != nil {
		return err
	}
	d.out = d.out[:at+len(out)]
	return nil
}

// grow makes room for n bytes more behind b's length.
func grow(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	grown := make([]byte, len(b), max(2*cap(b), len(b)+n))
	copy(grown, b)
	return grown
}
