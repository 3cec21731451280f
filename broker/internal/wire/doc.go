// Package wire turns frames into requests and responses into frames.
//
// A frame is a length (int32, big endian) and that many bytes: a header and a
// body, whose layouts follow from the API key and version in the header.
//
//	request   ┌────────┬─────┬─────────┬───────────────┬───────────┬──────┬──────┐
//	          │ length │ key │ version │ correlationID │ clientID  │ tags │ body │
//	          └────────┴─────┴─────────┴───────────────┴───────────┴──────┴──────┘
//	            int32   int16  int16       int32        nullable    header
//	                                                    string      v2 only
//	response  ┌────────┬───────────────┬──────┬──────┐
//	          │ length │ correlationID │ tags │ body │
//	          └────────┴───────────────┴──────┴──────┘
//	                                    header v1 only
//
// Header v2 (response: v1) belongs to the flexible versions of an API
// (KIP-482). The client id stays a string with an int16 length even there, and
// the response to ApiVersions always has header v0, so that a client can read
// it before it knows what the broker speaks.
//
// # Two codecs
//
// Produce requests and responses and Fetch requests and responses are read and
// written here by hand, because they are the hot path and because they are
// where a hostile frame pays off: kmsg allocates up to eighty times its input.
// [ProduceRequest] and [FetchRequest] are cursors over the frame. Decode walks
// it once and checks every length; the Next methods walk it again and hand out
// views of it. Neither allocates, whatever the frame claims to hold. Responses
// are appended piece by piece, so that a payload may come from a file between
// two pieces ([FetchResponse]).
//
// Everything else is kmsg's, after its lengths and counts were held against the
// frame (shape.go) ([DecodeInto], [AppendResponse]); the records of the
// coordinators' topics have the same walk before them ([CheckValue]). The hand-
// written half is compared with kmsg in both directions, at every version, by
// the fuzz tests.
//
// # Aliasing
//
// Strings and bytes of the hand-written requests point into the frame. They
// are valid as long as the frame's buffer is; who keeps one clones it. What
// [DecodeInto] reads aliases the frame only in its []byte fields.
package wire
