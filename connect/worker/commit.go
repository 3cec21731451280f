package worker

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/connect"
	"github.com/millrace-io/millrace/connect/convert"
)

// The names are kgo's: its callback is declared with them.
type (
	commitRequest  = kmsg.OffsetCommitRequest
	commitResponse = kmsg.OffsetCommitResponse
)

// commitError collects what the group's coordinator refused.
func commitError(response *commitResponse, err error) error {
	if err != nil || response == nil {
		return err
	}
	var refused []error
	for _, topic := range response.Topics {
		for _, p := range topic.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				refused = append(refused, fmt.Errorf("%s-%d: %w", topic.Topic, p.Partition, err))
			}
		}
	}
	return errors.Join(refused...)
}

// converters are those of one connector.
type converters struct{ key, value convert.Converter }

// converters makes them; a fault is one of the configuration.
func (w *Worker) converters(c *connect.Config) (converters, error) {
	var faults []connect.Fault
	key, err := convert.New(c.Key, true, w.config.Schemas)
	if err != nil {
		faults = append(faults, connect.Fault{Property: "key.converter", Message: "key.converter: " + err.Error()})
	}
	value, err := convert.New(c.Value, false, w.config.Schemas)
	if err != nil {
		faults = append(faults, connect.Fault{Property: "value.converter", Message: "value.converter: " + err.Error()})
	}
	if len(faults) > 0 {
		return converters{}, &connect.ConfigError{Faults: faults}
	}
	return converters{key, value}, nil
}
