package convert

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/millrace-io/millrace/connect"
	"github.com/millrace-io/millrace/schema"
)

// Converter turns data into bytes and back. It is safe for concurrent use.
type Converter interface {
	// Encode returns nil for null.
	Encode(ctx context.Context, topic string, d connect.Data) ([]byte, error)
	// Decode takes nil as null.
	Decode(ctx context.Context, topic string, b []byte) (connect.Data, error)
}

// ErrData is data that a converter cannot turn: no retry will cure it.
var ErrData = errors.New("convert: bad data")

// constructor makes a converter from the options below its property.
type constructor func(options map[string]string, key bool, schemas *schema.Client) (Converter, error)

func constructors() map[string]constructor {
	table := map[string]constructor{"string": newText, "bytes": newBytes, "json": newJSON, "avro": newAvro}
	for name := range primitives() {
		table[name] = newPrimitive(name)
	}
	return table
}

// New makes the converter that the configuration names; key says that it is
// for keys. schemas may be nil where no registry is configured.
func New(c connect.ConverterConfig, key bool, schemas *schema.Client) (Converter, error) {
	name, err := connect.FindConverter(c.Name)
	if err != nil {
		return nil, err
	}
	options := maps.Clone(c.Options)
	if name == "json" && name != c.Name && options["schemas.enable"] == "" {
		options = map[string]string{"schemas.enable": "true"} // the Java class's default
	}
	return constructors()[name](options, key, schemas)
}

// only refuses options that a converter does not have.
func only(options map[string]string, known ...string) error {
	for _, name := range slices.Sorted(maps.Keys(options)) {
		if !slices.Contains(known, name) {
			return fmt.Errorf("unknown option %s (options: %s)", name, strings.Join(known, ", "))
		}
	}
	return nil
}
