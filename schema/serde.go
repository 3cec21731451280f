package schema

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/avro"

	"github.com/millrace-io/millrace/schema/internal/avroscan"
)

// identify finds or registers a definition under the topic's subject.
func (c *serdeConfig) identify(ctx context.Context, client *Client, topic, record string, def Definition) (int, error) {
	subject := c.subject(topic, record, c.key)
	if c.register {
		id, err := client.Register(ctx, subject, def)
		return id, atTopic(err, topic)
	}
	id, err := client.identify(ctx, subject, def)
	if errors.Is(err, ErrNotFound) {
		err = &Error{Op: "encode", Topic: topic, Subject: subject, Offset: -1, Code: 40403,
			Err: as(errors.New("the schema is not registered: register it, or set AutoRegister"), ErrNotFound)}
	}
	return id, atTopic(err, topic)
}

// fullName is the name that the schema's record, enum or fixed has, with its
// namespace; the Avro type's for all others.
func fullName(s *avro.Schema) string {
	root := s.Root()
	switch {
	case root.Name == "":
		return root.Type
	case root.Namespace == "":
		return root.Name
	default:
		return root.Namespace + "." + root.Name
	}
}

// atTopic completes an error of this package with the topic.
func atTopic(err error, topic string) error {
	var e *Error
	if !errors.As(err, &e) || e.Topic != "" {
		return err
	}
	with := *e
	with.Topic = topic
	return &with
}

func encodeError(topic string, id int, err error) error {
	return &Error{Op: "encode", Topic: topic, ID: id, Path: fieldPath(err), Offset: -1, Err: as(err, ErrInvalid)}
}

// decodeError is for bytes that are a value of their schema and still do not
// fit the Go type. twmb/avro names the field, not the byte.
func decodeError(topic string, id int, err error) error {
	return &Error{Op: "decode", Topic: topic, ID: id, Path: fieldPath(err), Offset: HeaderSize, Err: as(err, ErrPoison)}
}

func scanError(topic string, id int, err error) error {
	e := &Error{Op: "decode", Topic: topic, ID: id, Offset: HeaderSize, Err: as(err, ErrPoison)}
	var fault *avroscan.Error
	if errors.As(err, &fault) {
		e.Offset += fault.Offset
		e.Err = as(errors.New(fault.Message), ErrPoison)
	}
	return e
}

func trailing(topic string, id int, data []byte, n int) error {
	return &Error{Op: "decode", Topic: topic, ID: id, Offset: len(data) - n,
		Err: as(fmt.Errorf("%d bytes after the value", n), ErrPoison)}
}

// unreadable is the error for a writer's schema that cannot be had: poison,
// unless the registry is away.
func unreadable(err error, topic string, id int) error {
	var e *Error
	if !errors.As(err, &e) || errors.Is(err, ErrUnavailable) {
		return atTopic(err, topic)
	}
	return &Error{Op: "decode", Topic: topic, ID: id, Offset: 1, Code: e.Code, Err: as(e.Err, ErrPoison)}
}

func unresolvable(topic string, id int, err error) error {
	e := &Error{Op: "decode", Topic: topic, ID: id, Offset: 1, Err: as(err, ErrIncompatible, ErrPoison)}
	var why *avro.CompatibilityError
	if errors.As(err, &why) {
		e.Path = why.Path
	}
	return e
}

func fieldPath(err error) string {
	var semantic *avro.SemanticError
	if errors.As(err, &semantic) {
		return semantic.Field
	}
	return ""
}
