package connect

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/millrace-io/millrace/internal/conf"
)

// converterClasses pairs the converters with the Java classes they stand in
// for.
func converterClasses() map[string]string {
	return map[string]string{
		"string":  "org.apache.kafka.connect.storage.StringConverter",
		"json":    "org.apache.kafka.connect.json.JsonConverter",
		"bytes":   "org.apache.kafka.connect.converters.ByteArrayConverter",
		"int16":   "org.apache.kafka.connect.converters.ShortConverter",
		"int32":   "org.apache.kafka.connect.converters.IntegerConverter",
		"int64":   "org.apache.kafka.connect.converters.LongConverter",
		"float32": "org.apache.kafka.connect.converters.FloatConverter",
		"float64": "org.apache.kafka.connect.converters.DoubleConverter",
		"bool":    "org.apache.kafka.connect.converters.BooleanConverter",
		"avro":    "io.confluent.connect.avro.AvroConverter",
	}
}

// ConverterNames lists the converters; package convert makes them.
func ConverterNames() []string { return slices.Sorted(maps.Keys(converterClasses())) }

// FindConverter gives the short name of a converter that is named by it or by
// a Java class.
func FindConverter(name string) (string, error) {
	for short, class := range converterClasses() {
		if name == short || name == class {
			return short, nil
		}
	}
	hint := ""
	if best, near := conf.Nearest(name, ConverterNames()); near {
		hint = " (did you mean " + best + "?)"
	}
	return "", fmt.Errorf("unknown converter %q%s: known are %s", name, hint, strings.Join(ConverterNames(), ", "))
}
