package schema

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/riferrei/srclient"
)

// call runs one request for all who ask for the same key. The request does not
// end with the context of the one who happened to be first; srclient knows no
// contexts anyway. An abandoned request is waited for by Close.
func call[V any](ctx context.Context, c *Client, key string, about *Error, request func() (V, error)) (V, error) {
	var none V
	answer := c.flight.DoChan(key, func() (any, error) { return request() })
	select {
	case result := <-answer:
		if result.Err != nil {
			return none, classify(about, result.Err)
		}
		return result.Val.(V), nil
	case <-ctx.Done():
		c.abandoned.Go(func() { <-answer })
		e := *about
		e.Offset, e.Retryable, e.Err = -1, true, as(ctx.Err(), ErrUnavailable)
		return none, &e
	}
}

// classify turns what srclient and HTTP say into an Error.
func classify(about *Error, err error) *Error {
	e := *about
	e.Offset = -1
	var answered srclient.Error
	if !errors.As(err, &answered) {
		e.Err, e.Retryable = as(err, ErrUnavailable), !errors.Is(err, context.Canceled)
		return &e
	}
	e.Code = answered.Code
	e.Err = errors.New(answered.Message)
	switch status := httpStatus(e.Code); {
	case status == http.StatusConflict:
		e.Err = as(e.Err, ErrIncompatible)
	case status == http.StatusNotFound:
		e.Err = as(e.Err, ErrNotFound)
	case status >= 500 || status == http.StatusTooManyRequests:
		e.Err, e.Retryable = as(e.Err, ErrUnavailable), true
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		e.Err = as(fmt.Errorf("not allowed: %w", e.Err), ErrInvalid)
	default:
		e.Err = as(e.Err, ErrInvalid)
	}
	return &e
}

// httpStatus is what an error_code begins with: 40401 means 404.
func httpStatus(code int) int {
	if code >= 10000 {
		return code / 100
	}
	return code
}
