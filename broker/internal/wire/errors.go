package wire

import (
	"errors"
	"fmt"
)

// ErrMalformed is what every error of a decoder is: the bytes are no request
// of that key and version. The connection they came from has lost its framing
// and is closed.
var ErrMalformed = errors.New("wire: malformed request")

// ErrMalformedValue is what CheckValue says of a record whose lengths and
// counts do not fit its bytes.
var ErrMalformedValue = errors.New("wire: malformed record value")

// MalformedError says where a request stopped making sense.
type MalformedError struct {
	Key, Version int16
	// Offset is the position in the bytes given to the decoder.
	Offset int
	// What names the fault, such as "array length beyond the frame".
	What string
}

func (e *MalformedError) Error() string {
	return fmt.Sprintf("wire: malformed request: key %d version %d, byte %d: %s", e.Key, e.Version, e.Offset, e.What)
}

// Is makes every MalformedError an ErrMalformed.
func (e *MalformedError) Is(target error) bool { return target == ErrMalformed }
