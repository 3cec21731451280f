package wire

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Decode reads the body of a request that has no decoder of its own. The
// caller has checked that the version is one the broker serves.
func Decode(h Header, body []byte) (kmsg.Request, error) {
	req := kmsg.RequestForKey(h.Key)
	if req == nil {
		return nil, &MalformedError{Key: h.Key, Version: h.Version, What: "unknown API key"}
	}
	req.SetVersion(h.Version)
	if err := req.ReadFrom(body); err != nil {
		return nil, fmt.Errorf("%w: %w", &MalformedError{Key: h.Key, Version: h.Version, Offset: len(body), What: faultShort}, err)
	}
	return req, nil
}

// AppendResponse appends header and body of a response, without the frame's
// length. The response is written at the version of the request, but for
// ApiVersions, whose handler may have chosen v0 (KIP-511).
func AppendResponse(dst []byte, h Header, resp kmsg.Response) []byte {
	return resp.AppendTo(AppendResponseHeader(dst, h))
}
