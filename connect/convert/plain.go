package convert

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/millrace-io/millrace/connect"
	"github.com/millrace-io/millrace/schema"
)

// text is Kafka's string serializer.
type text struct{}

func newText(options map[string]string, _ bool, _ *schema.Client) (Converter, error) {
	if encoding := options["encoding"]; encoding != "" && encoding != "UTF-8" && encoding != "UTF8" && encoding != "utf-8" {
		return nil, fmt.Errorf("encoding %q: only UTF-8 is supported", encoding)
	}
	return text{}, only(options, "encoding")
}

func (text) Encode(_ context.Context, _ string, d connect.Data) ([]byte, error) {
	switch v := d.Any.(type) {
	case nil:
		return d.Raw, nil
	case string:
		return []byte(v), nil
	case []byte:
		return v, nil
	case bool, int64, float64, int32, int, float32:
		return fmt.Append(nil, v), nil
	default:
		return json.Marshal(v) // Java's toString of a struct helps nobody
	}
}

func (text) Decode(_ context.Context, _ string, b []byte) (connect.Data, error) {
	if b == nil {
		return connect.Data{}, nil
	}
	return connect.Text(string(b)), nil
}

// raw passes bytes.
type raw struct{}

func newBytes(options map[string]string, _ bool, _ *schema.Client) (Converter, error) {
	return raw{}, only(options)
}

func (raw) Encode(_ context.Context, _ string, d connect.Data) ([]byte, error) {
	switch v := d.Any.(type) {
	case nil:
		return d.Raw, nil
	case []byte:
		return v, nil
	case string:
		return []byte(v), nil
	default:
		return nil, fmt.Errorf("%w: the bytes converter takes bytes, not a %T", ErrData, v)
	}
}

func (raw) Decode(_ context.Context, _ string, b []byte) (connect.Data, error) {
	if b == nil {
		return connect.Data{}, nil
	}
	return connect.Data{Schema: &connect.Schema{Type: "bytes"}, Any: b, Raw: b}, nil
}

// plainJSON is JSON without a schema.
type plainJSON struct{}

func newJSON(options map[string]string, _ bool, _ *schema.Client) (Converter, error) {
	if enable := options["schemas.enable"]; enable != "" && enable != "false" {
		return nil, fmt.Errorf("schemas.enable %q: this version writes JSON without schema, set it to false", enable)
	}
	return plainJSON{}, only(options, "schemas.enable", "schemas.cache.size")
}

func (plainJSON) Encode(_ context.Context, _ string, d connect.Data) ([]byte, error) {
	if d.IsNull() {
		return nil, nil
	}
	v := d.Any
	if v == nil {
		v = d.Raw
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrData, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func (plainJSON) Decode(_ context.Context, _ string, b []byte) (connect.Data, error) {
	if b == nil {
		return connect.Data{}, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return connect.Data{}, fmt.Errorf("%w: not JSON: %w", ErrData, err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return connect.Data{}, fmt.Errorf("%w: more text after the JSON value", ErrData)
	}
	return connect.Data{Any: numbers(v)}, nil
}

// numbers makes int64 of whole numbers, exact beyond 2^53, and float64 of the
// others; what fits neither stays text.
func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if whole, err := v.Int64(); err == nil {
			return whole
		}
		if real, err := v.Float64(); err == nil && strconv.FormatFloat(real, 'g', -1, 64) != "" {
			return real
		}
		return v
	case map[string]any:
		for key, value := range v {
			v[key] = numbers(value)
		}
	case []any:
		for i, value := range v {
			v[i] = numbers(value)
		}
	}
	return v
}

// primitive is one of Kafka's serializers of fixed size, big-endian.
type primitive struct {
	name  string
	size  int
	write func(b []byte, v any) bool
	read  func(b []byte) any
}

func primitives() map[string]primitive {
	integer := func(name string, size int, put func([]byte, int64), read func([]byte) int64) primitive {
		return primitive{name, size, func(b []byte, v any) bool {
			n, ok := whole(v)
			shift := 64 - 8*size
			if !ok || n<<shift>>shift != n {
				return false
			}
			put(b, n)
			return true
		}, func(b []byte) any { return read(b) }}
	}
	order := binary.BigEndian
	return map[string]primitive{
		"int16": integer("int16", 2, func(b []byte, n int64) { order.PutUint16(b, uint16(n)) }, func(b []byte) int64 { return int64(int16(order.Uint16(b))) }),
		"int32": integer("int32", 4, func(b []byte, n int64) { order.PutUint32(b, uint32(n)) }, func(b []byte) int64 { return int64(int32(order.Uint32(b))) }),
		"int64": integer("int64", 8, func(b []byte, n int64) { order.PutUint64(b, uint64(n)) }, func(b []byte) int64 { return int64(order.Uint64(b)) }),
		"float32": {"float32", 4, func(b []byte, v any) bool {
			n, ok := real(v)
			order.PutUint32(b, math.Float32bits(float32(n)))
			return ok
		}, func(b []byte) any { return float64(math.Float32frombits(order.Uint32(b))) }},
		"float64": {"float64", 8, func(b []byte, v any) bool {
			n, ok := real(v)
			order.PutUint64(b, math.Float64bits(n))
			return ok
		}, func(b []byte) any { return math.Float64frombits(order.Uint64(b)) }},
		"bool": {"boolean", 1, func(b []byte, v any) bool {
			on, ok := v.(bool)
			if on {
				b[0] = 1
			}
			return ok
		}, func(b []byte) any { return b[0] != 0 }},
	}
}

func whole(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case int32:
		return int64(v), true
	case int:
		return int64(v), true
	case string:
		n, err := strconv.ParseInt(v, 10, 64)
		return n, err == nil
	}
	return 0, false
}

func real(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case float32:
		return float64(v), true
	case string:
		n, err := strconv.ParseFloat(v, 64)
		return n, err == nil
	}
	n, ok := whole(v)
	return float64(n), ok
}

func newPrimitive(name string) constructor {
	return func(options map[string]string, _ bool, _ *schema.Client) (Converter, error) {
		return primitives()[name], only(options)
	}
}

func (p primitive) Encode(_ context.Context, _ string, d connect.Data) ([]byte, error) {
	if d.Any == nil {
		return d.Raw, nil
	}
	b := make([]byte, p.size)
	if !p.write(b, d.Any) {
		return nil, fmt.Errorf("%w: a %T does not fit in %s", ErrData, d.Any, p.name)
	}
	return b, nil
}

func (p primitive) Decode(_ context.Context, _ string, b []byte) (connect.Data, error) {
	if b == nil {
		return connect.Data{}, nil
	}
	if len(b) != p.size {
		return connect.Data{}, fmt.Errorf("%w: %d bytes are no %s, which has %d", ErrData, len(b), p.name, p.size)
	}
	return connect.Data{Schema: &connect.Schema{Type: p.name}, Any: p.read(b)}, nil
}
