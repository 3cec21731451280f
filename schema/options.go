package schema

import (
	"errors"
	"fmt"
	"os"

	"github.com/twmb/avro"
)

// Option changes how a serde finds and registers its schema.
type Option func(*serdeConfig) error

type serdeConfig struct {
	subject  SubjectStrategy
	key      bool
	register bool
	text     string // of the own schema; empty: derived from T, or the subject's latest
	infer    []avro.SchemaOpt
}

func newSerdeConfig(opts []Option) (serdeConfig, error) {
	config := serdeConfig{subject: TopicName}
	for _, opt := range opts {
		if err := opt(&config); err != nil {
			return config, &Error{Op: "configure serde", Offset: -1, Err: as(err, ErrInvalid)}
		}
	}
	return config, nil
}

// Subject chooses how subjects are named; TopicName by default.
func Subject(strategy SubjectStrategy) Option {
	return func(c *serdeConfig) error {
		if strategy == nil {
			return errors.New("Subject: need a strategy, such as TopicName")
		}
		c.subject = strategy
		return nil
	}
}

// ForKey says that the serde is for record keys: the subject of topic "orders"
// is "orders-key".
func ForKey() Option {
	return func(c *serdeConfig) error {
		c.key = true
		return nil
	}
}

// AutoRegister registers the serde's schema when it is first written under a
// subject. Off by default: in production schemas are registered by whoever
// deploys, not by whoever happens to write first.
func AutoRegister(on bool) Option {
	return func(c *serdeConfig) error {
		c.register = on
		return nil
	}
}

// FromText takes the serde's schema from Avro JSON text.
func FromText(text string) Option {
	return func(c *serdeConfig) error {
		c.text = text
		return nil
	}
}

// FromFile takes the serde's schema from an .avsc file.
func FromFile(path string) Option {
	return func(c *serdeConfig) error {
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("FromFile: %w", err)
		}
		c.text = string(text)
		return nil
	}
}

// Named gives the record derived from a Go type a full name; the type's own
// name without a namespace by default. It has no effect beside FromText and
// FromFile.
func Named(namespace, name string) Option {
	return func(c *serdeConfig) error {
		c.infer = append(c.infer, avro.WithNamespace(namespace), avro.WithName(name))
		return nil
	}
}
