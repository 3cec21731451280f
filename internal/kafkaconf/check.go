package kafkaconf

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Check restricts a value that already has the right type. Its String is the
// description of the valid values, as the documentation and errors show it.
type Check interface {
	// allows reports whether the value is valid.
	allows(Value) bool
	String() string
}

// bounds allows whole numbers between min and max, both included.
type bounds struct{ min, max int64 }

func atLeast(n int64) Check          { return bounds{n, math.MaxInt64} }
func between(low, high int64) Check  { return bounds{low, high} }
func (b bounds) allows(v Value) bool { return b.min <= v.Int && v.Int <= b.max }
func (b bounds) String() string {
	if b.max == math.MaxInt64 {
		return fmt.Sprintf("at least %d", b.min)
	}
	return fmt.Sprintf("%d to %d", b.min, b.max)
}

// fraction allows numbers from 0 to 1.
type fraction struct{}

func (fraction) allows(v Value) bool { return v.Float >= 0 && v.Float <= 1 }
func (fraction) String() string      { return "0 to 1" }

// or allows one number beside what another check allows.
type or struct {
	n    int64
	also Check
}

func (o or) allows(v Value) bool { return v.Int == o.n || o.also.allows(v) }
func (o or) String() string      { return fmt.Sprintf("%d, or %s", o.n, o.also) }

// oneOf allows the listed words.
type oneOf []string

func (o oneOf) allows(v Value) bool { return slices.Contains(o, v.Text) }
func (o oneOf) String() string      { return "one of " + strings.Join(o, ", ") }

// anyOf allows lists, also empty ones, of the listed words, each at most once.
type anyOf []string

func (a anyOf) allows(v Value) bool {
	for i, item := range v.List {
		if !slices.Contains(a, item) || slices.Contains(v.List[:i], item) {
			return false
		}
	}
	return true
}
func (a anyOf) String() string { return "a list of " + strings.Join(a, ", ") + ", each at most once" }

// overrides allows address:number pairs.
type overrides struct{}

func (overrides) allows(v Value) bool {
	_, ok := addressLimits(v.Text)
	return ok
}
func (overrides) String() string { return "[address]:[number],[address]:[number],..." }

// addressLimits reads address:number pairs. An address of IPv6 has colons of
// its own, so the number is what follows the last one.
func addressLimits(text string) (map[string]int, bool) {
	limits := make(map[string]int)
	for _, pair := range Items(text) {
		at := strings.LastIndexByte(pair, ':')
		if at <= 0 {
			return nil, false
		}
		n, err := strconv.Atoi(pair[at+1:])
		if err != nil || n < 0 {
			return nil, false
		}
		limits[strings.Trim(pair[:at], "[]")] = n
	}
	return limits, true
}

// throttled allows what Kafka calls a throttled replica list: "*", nothing,
// or partition:broker pairs.
type throttled struct{}

func (throttled) allows(v Value) bool {
	if len(v.List) == 1 && v.List[0] == "*" {
		return true
	}
	for _, pair := range v.List {
		partition, broker, ok := strings.Cut(pair, ":")
		if !ok || !digits(partition) || !digits(broker) {
			return false
		}
	}
	return true
}
func (throttled) String() string { return "[partition]:[broker],[partition]:[broker],... or *" }

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// only allows the one value, because another would promise what is not there.
type only struct{ value, why string }

func (o only) allows(v Value) bool { return v.Text == o.value }
func (o only) String() string {
	if o.value == "" {
		return "nothing: " + o.why
	}
	return o.value + " only: " + o.why
}

// never allows no value at all.
type never struct{ why string }

func (never) allows(Value) bool { return false }
func (n never) String() string  { return "nothing: " + n.why }

// off allows only false, because the feature behind the switch does not exist
// here and true would promise it.
type off struct{ why string }

func (off) allows(v Value) bool { return !v.Bool }
func (o off) String() string    { return "false only: " + o.why }
