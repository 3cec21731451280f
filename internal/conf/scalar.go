package conf

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// scalar reads one value. What is said about a wrong one is its form, never
// the value of a secret.
func (d *decoder) scalar(n *Node, into reflect.Value, f tag) {
	if !n.IsScalar() || n.Kind == Null {
		d.fail(n, "need %s, got %s", wanted(into, f), n.Kind)
		return
	}
	kind, text := n.Kind, n.Text
	if (kind == String || kind == Text) && HasPlaceholder(text) {
		if d.secrets.Keep {
			if into.Kind() == reflect.String {
				into.SetString(text)
			}
			return
		}
		expanded, err := d.secrets.Expand(text)
		if err != nil {
			d.fail(n, "%s", err)
			return
		}
		// The value may be a secret wherever it stands: it is never quoted.
		kind, text, f.secret = Text, expanded, true
	}
	if message := set(into, kind, text, f); message != "" {
		d.fail(n, "%s", message)
		return
	}
	if message := allowed(into, text, f); message != "" {
		d.fail(n, "%s", message)
	}
}

// set parses text into the value; the result is the fault, or "".
func set(into reflect.Value, kind Kind, text string, f tag) string {
	if unmarshaler, ok := into.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if err := unmarshaler.UnmarshalText([]byte(text)); err != nil {
			return shown(f, err.Error(), wanted(into, f))
		}
		return ""
	}
	switch into.Type() {
	case durationType:
		return setDuration(into, kind, text, f)
	case sizeType:
		if kind == Bool || kind == Float {
			return mismatch(into, kind, text, f)
		}
		size, err := ParseSize(text)
		if err != nil {
			return shown(f, err.Error(), wanted(into, f))
		}
		into.SetInt(int64(size))
		return ""
	}
	switch into.Kind() {
	case reflect.String:
		return setString(into, kind, text, f)
	case reflect.Bool:
		if text != "true" && text != "false" || kind == String {
			return mismatch(into, kind, text, f)
		}
		into.SetBool(text == "true")
	case reflect.Float32, reflect.Float64:
		number, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(number) || math.IsInf(number, 0) || kind == Bool {
			return mismatch(into, kind, text, f)
		}
		into.SetFloat(number)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		number, err := parseInt(text)
		if err != nil || kind != Int && kind != Text {
			return mismatch(into, kind, text, f)
		}
		if into.OverflowInt(number) {
			return fmt.Sprintf("%s does not fit in %d bits", text, into.Type().Bits())
		}
		into.SetInt(number)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		number, err := strconv.ParseUint(strings.ReplaceAll(text, "_", ""), 10, 64)
		if err != nil || kind != Int && kind != Text {
			return mismatch(into, kind, text, f)
		}
		if into.OverflowUint(number) {
			return fmt.Sprintf("%s does not fit in %d bits", text, into.Type().Bits())
		}
		into.SetUint(number)
	default:
		return "a field of Go type " + into.Type().String() + " cannot be configured"
	}
	return ""
}

func setDuration(into reflect.Value, kind Kind, text string, f tag) string {
	if kind == Int && strings.Trim(text, "0") != "" {
		return fmt.Sprintf("need a duration such as 30s or 7d, got a number (add a unit: %ss)", text)
	}
	if kind == Bool || kind == Float {
		return mismatch(into, kind, text, f)
	}
	duration, err := ParseDuration(text)
	if err != nil {
		return shown(f, err.Error(), wanted(into, f))
	}
	into.SetInt(int64(duration))
	return ""
}

func setString(into reflect.Value, kind Kind, text string, f tag) string {
	plain := kind == String || kind == Text
	if !plain && !f.loose && (kind == Bool || f.example != "" || len(f.enum) > 0) {
		return "need " + wanted(into, f) + ", got " + kind.String()
	}
	if text == "" && f.required {
		return "must not be empty"
	}
	into.SetString(text)
	return ""
}

// parseInt reads YAML 1.2 integers: decimal whatever zeros they begin with,
// 0x and 0o.
func parseInt(text string) (int64, error) {
	text = strings.ReplaceAll(text, "_", "")
	if digits, ok := strings.CutPrefix(text, "0x"); ok {
		return strconv.ParseInt(digits, 16, 64)
	}
	if digits, ok := strings.CutPrefix(text, "0o"); ok {
		return strconv.ParseInt(digits, 8, 64)
	}
	return strconv.ParseInt(text, 10, 64)
}

func mismatch(into reflect.Value, kind Kind, text string, f tag) string {
	got := kind.String()
	switch {
	case f.secret:
	case kind == Int || kind == Float:
		got = text
	case kind == String || kind == Text:
		got = strconv.Quote(text)
	}
	return "need " + wanted(into, f) + ", got " + got
}

// shown replaces a message that quotes the value of a secret.
func shown(f tag, message, want string) string {
	if f.secret {
		return "need " + want
	}
	return message
}

func wanted(into reflect.Value, f tag) string {
	switch into.Type() {
	case durationType:
		return "a duration such as 30s or 7d"
	case sizeType:
		return "a size such as 64MiB"
	}
	switch typeName(into.Type()) {
	case "bool":
		return "true or false"
	case "int":
		return "a whole number"
	case "float":
		return "a number"
	}
	switch {
	case len(f.enum) > 0:
		return "one of " + strings.Join(f.enum, ", ")
	case f.example != "":
		return "a string such as " + f.example
	default:
		return "a string"
	}
}

// allowed checks enum and bounds of a value that was set.
func allowed(into reflect.Value, text string, f tag) string {
	if len(f.enum) > 0 && !slices.Contains(f.enum, text) {
		value, hint := strconv.Quote(text), didYouMean(text, f.enum)
		if f.secret {
			value, hint = "the value", ""
		}
		return fmt.Sprintf("%s is not one of %s%s", value, strings.Join(f.enum, ", "), hint)
	}
	number := written(into)
	if f.secret {
		number = "the value"
	}
	if f.min != "" {
		if bound, ok := boundOf(into, f.min); ok && less(into, bound) {
			return fmt.Sprintf("%s is less than the minimum, %s", number, f.min)
		}
	}
	if f.max != "" {
		if bound, ok := boundOf(into, f.max); ok && less(bound, into) {
			return fmt.Sprintf("%s is more than the maximum, %s", number, f.max)
		}
	}
	return ""
}

func boundOf(like reflect.Value, text string) (reflect.Value, bool) {
	bound := reflect.New(like.Type()).Elem()
	return bound, set(bound, Text, text, tag{}) == ""
}

func less(a, b reflect.Value) bool {
	switch {
	case a.CanInt():
		return a.Int() < b.Int()
	case a.CanUint():
		return a.Uint() < b.Uint()
	case a.CanFloat():
		return a.Float() < b.Float()
	}
	return false
}

func written(v reflect.Value) string {
	if v.Type() == durationType {
		return FormatDuration(time.Duration(v.Int()))
	}
	return fmt.Sprint(v.Interface())
}
