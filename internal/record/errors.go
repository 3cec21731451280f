package record

import (
	"errors"
	"fmt"
)

// The errors below are wrapped with what was found and at which offset.
var (
	// ErrCorrupt means that the bytes are not the ones that were written: a
	// length that cannot be, or a CRC that does not match.
	ErrCorrupt = errors.New("record: corrupt batch")

	// ErrShort means that a batch is longer than the bytes that are there. It
	// is an ErrCorrupt too.
	ErrShort = fmt.Errorf("%w: ends early", ErrCorrupt)

	// ErrInvalid means that the bytes are intact and break the format's rules.
	ErrInvalid = errors.New("record: invalid batch")

	// ErrCodec means a compression codec that Kafka does not define.
	ErrCodec = errors.New("record: unknown compression codec")

	// ErrTooLarge means that a compressed batch expands beyond its bound. It
	// is an ErrInvalid too.
	ErrTooLarge = fmt.Errorf("%w: expands beyond its bound", ErrInvalid)
)

// fault reports a broken rule of one batch, with the offset it claims.
func (b Batch) fault(kind error, format string, args ...any) error {
	return fmt.Errorf("%w: base offset %d: %s", kind, b.BaseOffset(), fmt.Sprintf(format, args...))
}
