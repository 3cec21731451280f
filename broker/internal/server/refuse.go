package server

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Reason says why the server ended a connection itself. It is a label of a
// metric, so there are few.
type Reason string

// The reasons, in the order in which a connection meets them.
const (
	TooManyConnections Reason = "too_many_connections"
	TooFastConnections Reason = "connection_rate"
	BadLength          Reason = "bad_frame_length"
	FrameTooLarge      Reason = "frame_too_large"
	NotKafka           Reason = "not_kafka"
	SlowFrame          Reason = "slow_frame"
	Malformed          Reason = "malformed_request"
	Unsupported        Reason = "unsupported_request"
	Unanswerable       Reason = "failed_without_reply"
	Idle               Reason = "idle"
	StalledWrite       Reason = "stalled_write"
	ReadFailed         Reason = "unreadable_records"
)

// CloseError is an error that ends a connection, and only that.
type CloseError struct {
	Reason Reason
	// Detail says what was found, in words.
	Detail string
	// Err is the cause, if there is one.
	Err error
}

func (e *CloseError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("server: %s: %s: %v", e.Reason, e.Detail, e.Err)
	}
	return fmt.Sprintf("server: %s: %s", e.Reason, e.Detail)
}

func (e *CloseError) Unwrap() error { return e.Err }

func refuse(reason Reason, format string, args ...any) *CloseError {
	return &CloseError{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// sniff recognises clients of other protocols by their first four bytes.
func sniff(prefix []byte) *CloseError {
	switch string(prefix) {
	case "GET ", "POST", "PUT ", "HEAD", "OPTI", "DELE", "PATC", "CONN":
		return refuse(NotKafka, "looks like HTTP: this port speaks the Kafka protocol")
	}
	if prefix[0] == 0x16 && prefix[1] == 0x03 {
		return refuse(NotKafka, "looks like TLS: this listener is plaintext, set the client's security.protocol to PLAINTEXT")
	}
	return nil
}

// checkLength judges a frame's length alone, before its key is known.
func (c Config) checkLength(prefix []byte) (int, *CloseError) {
	length := int32(binary.BigEndian.Uint32(prefix))
	if length < 0 || int(length) > max(c.MaxRequestBytes, c.MaxOtherBytes) {
		if hint := sniff(prefix); hint != nil {
			return 0, hint
		}
	}
	switch {
	case length < 8:
		return 0, refuse(BadLength, "frame length %d: a request has at least 8 bytes", length)
	case int(length) > max(c.MaxRequestBytes, c.MaxOtherBytes):
		return 0, refuse(FrameTooLarge, "frame of %d bytes, at most %d (socket.request.max.bytes)", length, c.MaxRequestBytes)
	}
	return int(length), nil
}

// refusals logs each reason at most once per interval, with how many were
// left out, so that a port scanner does not fill the disk.
type refusals struct {
	logger  *slog.Logger
	metrics Metrics

	mu   sync.Mutex
	last map[Reason]*refusal
}

type refusal struct {
	at     time.Time
	silent int
}

const refusalInterval = 10 * time.Second

func (r *refusals) note(now time.Time, listener, client string, e *CloseError) {
	r.metrics.Refused(e.Reason)
	if e.Reason == Idle {
		return
	}
	silent, due := r.due(now, e.Reason)
	if !due {
		return
	}
	attrs := []any{"listener", listener, "client", client, "reason", string(e.Reason), "detail", e.Detail}
	if e.Err != nil {
		attrs = append(attrs, "error", e.Err)
	}
	if silent > 0 {
		attrs = append(attrs, "not_logged", silent)
	}
	r.logger.Warn("connection closed", attrs...)
}

func (r *refusals) due(now time.Time, reason Reason) (silent int, due bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	last, seen := r.last[reason]
	if seen && now.Sub(last.at) < refusalInterval {
		last.silent++
		return 0, false
	}
	if !seen {
		last = &refusal{}
		r.last[reason] = last
	}
	silent = last.silent
	*last = refusal{at: now}
	return silent, true
}
