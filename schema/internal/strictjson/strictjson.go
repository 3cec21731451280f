package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// MaxDepth is how deep arrays and objects may be nested.
const MaxDepth = 512

// Kind is the JSON type of a value.
type Kind uint8

// The kinds of a value.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

func (k Kind) String() string {
	return [...]string{"null", "a boolean", "a number", "a string", "an array", "an object"}[k]
}

// Value is a JSON value.
type Value struct {
	Kind Kind
	// Text is the decoded string, the number as written, "true" or "false".
	Text string
	// Items are the elements of an array.
	Items []Value
	// Members are those of an object, in order.
	Members []Member
	// Offset is the position of the value's first byte.
	Offset int
}

// Member is one key and value of an object.
type Member struct {
	Key    string
	Value  Value
	Offset int // of the key
}

// Member returns the value of a key.
func (v Value) Member(key string) (Value, bool) {
	for _, m := range v.Members {
		if m.Key == key {
			return m.Value, true
		}
	}
	return Value{}, false
}

// Error says what is wrong in a text and where. Line and column count from 1,
// columns in characters.
type Error struct {
	Line, Column int
	Message      string
}

func (e *Error) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// ErrorAt makes the error for a position of a text.
func ErrorAt(text []byte, offset int, format string, args ...any) *Error {
	before := text[:min(max(offset, 0), len(text))]
	lineStart := bytes.LastIndexByte(before, '\n') + 1
	return &Error{
		Line:    1 + bytes.Count(before, []byte{'\n'}),
		Column:  1 + utf8.RuneCount(before[lineStart:]),
		Message: fmt.Sprintf(format, args...),
	}
}

// Parse reads exactly one value. The error is an [*Error].
func Parse(text []byte) (Value, error) {
	if i := invalidUTF8(text); i >= 0 {
		return Value{}, ErrorAt(text, i, "invalid UTF-8")
	}
	p := &parser{text: text, dec: json.NewDecoder(bytes.NewReader(text))}
	p.dec.UseNumber()
	token, err := p.next()
	if err != nil {
		return Value{}, err
	}
	v, err := p.value(token, 0)
	if err != nil {
		return Value{}, err
	}
	end := int(p.dec.InputOffset())
	if rest := bytes.TrimLeft(text[end:], " \t\r\n"); len(rest) > 0 {
		return Value{}, ErrorAt(text, len(text)-len(rest), "more text after the value")
	}
	return v, nil
}

type parser struct {
	text []byte
	dec  *json.Decoder
	at   int // offset of the token last read
}

// next reads a token and notes where it begins.
func (p *parser) next() (json.Token, error) {
	p.at = p.start(int(p.dec.InputOffset()))
	token, err := p.dec.Token()
	if err == nil {
		return token, nil
	}
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return nil, ErrorAt(p.text, len(p.text), "the text ends in the middle of a value")
	case errors.As(err, &syntax):
		return nil, ErrorAt(p.text, p.at, "%s", strings.TrimPrefix(syntax.Error(), "json: "))
	default:
		return nil, ErrorAt(p.text, p.at, "%v", err)
	}
}

// start skips what may stand between two tokens.
func (p *parser) start(offset int) int {
	for offset < len(p.text) && strings.IndexByte(" \t\r\n:,", p.text[offset]) >= 0 {
		offset++
	}
	return offset
}

func (p *parser) value(token json.Token, depth int) (Value, error) {
	v := Value{Offset: p.at}
	switch t := token.(type) {
	case nil:
		v.Kind = Null
	case bool:
		v.Kind, v.Text = Bool, fmt.Sprint(t)
	case json.Number:
		v.Kind, v.Text = Number, t.String()
	case string:
		v.Kind, v.Text = String, t
	case json.Delim:
		if depth == MaxDepth {
			return v, ErrorAt(p.text, p.at, "nested deeper than %d levels", MaxDepth)
		}
		if t == '[' {
			v.Kind = Array
			return v, p.array(&v, depth+1)
		}
		v.Kind = Object
		return v, p.object(&v, depth+1)
	}
	return v, nil
}

func (p *parser) array(v *Value, depth int) error {
	for p.dec.More() {
		token, err := p.next()
		if err != nil {
			return err
		}
		item, err := p.value(token, depth)
		if err != nil {
			return err
		}
		v.Items = append(v.Items, item)
	}
	_, err := p.next()
	return err
}

func (p *parser) object(v *Value, depth int) error {
	seen := make(map[string]bool)
	for p.dec.More() {
		token, err := p.next()
		if err != nil {
			return err
		}
		key, ok := token.(string)
		if !ok {
			return ErrorAt(p.text, p.at, "need a key in double quotes")
		}
		m := Member{Key: key, Offset: p.at}
		if seen[key] {
			return ErrorAt(p.text, p.at, "key %q appears twice", key)
		}
		seen[key] = true
		if token, err = p.next(); err != nil {
			return err
		}
		if m.Value, err = p.value(token, depth); err != nil {
			return err
		}
		v.Members = append(v.Members, m)
	}
	_, err := p.next()
	return err
}

func invalidUTF8(text []byte) int {
	if utf8.Valid(text) {
		return -1
	}
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n <= 1 {
			return i
		}
		i += n
	}
	return -1
}
