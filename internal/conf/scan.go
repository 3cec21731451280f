package conf

import (
	"bytes"
	"unicode/utf8"
)

// The YAML parser recurses and is quadratic in the nesting, so these limits
// are looked at before it runs. They are far above what anyone writes.
const (
	maxBytes   = 1 << 20
	maxNesting = 200
	maxIndent  = 1000
)

// scan refuses what the parser must not see: files too large, not UTF-8, or
// nested too deeply.
func scan(file string, data []byte) *Error {
	if len(data) > maxBytes {
		return &Error{Position: Position{file, 1, 1}, Message: "larger than 1MiB"}
	}
	flow := 0
	for number := 1; len(data) > 0; number++ {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte("\n"))
		if column := invalidUTF8(line); column > 0 {
			return &Error{Position: Position{file, number, column}, Message: "not UTF-8"}
		}
		deepest := 0
		flow, deepest = flowDepth(line, flow)
		if max(deepest, blockDepth(line)) > maxNesting || indent(line) > maxIndent {
			return &Error{Position: Position{file, number, 1}, Message: "nested too deeply"}
		}
	}
	return nil
}

// flowDepth follows the brackets of a line, those in strings too: it may only
// err towards refusing, and only at a depth that no file has.
func flowDepth(line []byte, depth int) (after, deepest int) {
	for _, b := range line {
		switch b {
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(0, depth-1)
		}
		deepest = max(deepest, depth)
	}
	return depth, deepest
}

// blockDepth counts the levels that one line opens: "- - - x".
func blockDepth(line []byte) int {
	depth := 0
	for {
		line = bytes.TrimLeft(line, " ")
		if len(line) < 2 || (line[0] != '-' && line[0] != '?') || line[1] != ' ' {
			return depth
		}
		line, depth = line[2:], depth+1
	}
}

func indent(line []byte) int { return len(line) - len(bytes.TrimLeft(line, " ")) }

// invalidUTF8 returns the column of the first bad byte, 0 if there is none.
func invalidUTF8(line []byte) int {
	if utf8.Valid(line) {
		return 0
	}
	column := 1
	for len(line) > 0 {
		r, size := utf8.DecodeRune(line)
		if r == utf8.RuneError && size == 1 {
			return column
		}
		line = line[size:]
		column++
	}
	return column
}
