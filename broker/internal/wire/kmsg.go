package wire

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// DecodeInto reads the body of a request that has no decoder of its own. The
// caller has checked that the version is one the broker serves. The body is
// walked first, so what kmsg does is bounded by the body's length. What it reads
// aliases the body only in fields of bytes.
func DecodeInto(req kmsg.Request, h Header, body []byte) error {
	if err := checkShape(h, body); err != nil {
		return err
	}
	req.SetVersion(h.Version)
	if err := req.ReadFrom(body); err != nil {
		return fmt.Errorf("%w: %w", &MalformedError{Key: h.Key, Version: h.Version, Offset: len(body), What: faultShort}, err)
	}
	return nil
}

// AppendResponse appends header and body of a response, without the frame's
// length. The response is written at the version of the request, but for
// ApiVersions, whose handler may have chosen v0 (KIP-511).
func AppendResponse(dst []byte, h Header, resp kmsg.Response) []byte {
	return resp.AppendTo(AppendResponseHeader(dst, h))
}
