package kafkaconf

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Value is a config's value in the form of its type: Bool, Float, List, Int
// (for INT, SHORT and LONG), and always Text, which is the value as given
// without the spaces around it.
type Value struct {
	Text  string
	Int   int64
	Float float64
	Bool  bool
	List  []string
}

// Milliseconds reads Int as a number of milliseconds. Any negative number
// means "no limit" and gives -1; what a Duration cannot hold gives the
// largest one (292 years).
func (v Value) Milliseconds() time.Duration {
	switch {
	case v.Int < 0:
		return -1
	case v.Int > math.MaxInt64/int64(time.Millisecond):
		return math.MaxInt64
	}
	return time.Duration(v.Int) * time.Millisecond
}

// Parse reads a value of this key and checks that it is valid. The error is
// an [Error].
func (k *Key) Parse(text string) (Value, error) {
	v, bad := k.read(text)
	if bad != nil {
		return Value{}, *bad
	}
	return v, nil
}

// read is Parse with the error in its own type.
func (k *Key) read(text string) (Value, *Error) {
	text = strings.TrimSpace(text)
	v, problem := k.Type.parse(text)
	if problem == "" && k.Valid != nil && !k.Valid.allows(v) {
		problem = "valid is " + k.Valid.String()
	}
	if problem != "" {
		return Value{}, &Error{Name: k.Name, Value: text, Problem: problem}
	}
	return v, nil
}

// parse returns the value, or what is wrong with the text.
func (t Type) parse(text string) (Value, string) {
	v := Value{Text: text}
	var err error
	switch t {
	case Bool:
		switch {
		case strings.EqualFold(text, "true"):
			v.Bool = true
		case !strings.EqualFold(text, "false"):
			return v, "expected true or false"
		}
	case Short:
		v.Int, err = strconv.ParseInt(text, 10, 16)
	case Int:
		v.Int, err = strconv.ParseInt(text, 10, 32)
	case Long:
		v.Int, err = strconv.ParseInt(text, 10, 64)
	case Double:
		v.Float, err = strconv.ParseFloat(text, 64)
		if err == nil && (math.IsNaN(v.Float) || math.IsInf(v.Float, 0)) {
			return v, "expected a finite number"
		}
	case List:
		v.List = Items(text)
	case String, Class, Password:
	}
	if err != nil {
		return v, "expected a number of type " + t.String()
	}
	return v, ""
}

// Items splits a LIST value at its commas. Spaces around items and empty
// items are dropped; the empty text is the empty list.
func Items(text string) []string {
	var items []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// Append adds those items to a LIST value that it does not hold yet
// (IncrementalAlterConfigs APPEND).
func Append(text, items string) string {
	list := Items(text)
	for _, item := range Items(items) {
		if !slices.Contains(list, item) {
			list = append(list, item)
		}
	}
	return strings.Join(list, ",")
}

// Subtract takes items out of a LIST value (IncrementalAlterConfigs
// SUBTRACT). Items that it does not hold are ignored.
func Subtract(text, items string) string {
	gone := Items(items)
	var list []string
	for _, item := range Items(text) {
		if !slices.Contains(gone, item) {
			list = append(list, item)
		}
	}
	return strings.Join(list, ",")
}
