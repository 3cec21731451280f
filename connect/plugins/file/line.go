package file

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/millrace-io/millrace/connect"
)

// line is a record as the sink writes it. The timestamp is in milliseconds,
// as in Kafka.
type line struct {
	Topic     string   `json:"topic"`
	Partition int32    `json:"partition"`
	Offset    int64    `json:"offset"`
	Timestamp int64    `json:"timestamp"`
	Key       any      `json:"key"`
	Value     any      `json:"value"`
	Headers   []header `json:"headers,omitempty"`
}

type header struct {
	Key   string `json:"key"`
	Value any    `json:"value"`
}

// appendLine writes the record and a newline.
func appendLine(b *bytes.Buffer, r *connect.Record) error {
	l := line{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp.UnixMilli(), Key: plain(r.Key), Value: plain(r.Value)}
	for _, h := range r.Headers {
		l.Headers = append(l.Headers, header{h.Key, plain(h.Value)})
	}
	encoder := json.NewEncoder(b)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(l)
}

func plain(d connect.Data) any {
	if d.Any == nil && d.Raw != nil {
		return jsonable(d.Raw)
	}
	return jsonable(d.Any)
}

// jsonable turns a value into what JSON can hold without loss. Bytes, and
// text that is not UTF-8, become {"base64": "..."}; decimals and numbers that
// JSON has no name for become text.
func jsonable(v any) any {
	switch v := v.(type) {
	case []byte:
		return map[string][]byte{"base64": v}
	case string:
		if !utf8.ValidString(v) {
			return map[string][]byte{"base64": []byte(v)}
		}
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case *big.Rat:
		return v.RatString()
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return strconv.FormatFloat(v, 'g', -1, 64)
		}
	case float32:
		return jsonable(float64(v))
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			out[key] = jsonable(value)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, value := range v {
			out[i] = jsonable(value)
		}
		return out
	}
	return v
}
