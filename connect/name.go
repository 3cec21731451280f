package connect

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName keeps "connect-<name>" a valid group and every key short.
const maxName = 249

// ValidateName checks the name of a connector. A slash is refused because the
// name is a segment of REST paths.
func ValidateName(name string) error {
	switch {
	case name == "":
		return errors.New("a connector needs a name")
	case !utf8.ValidString(name):
		return errors.New("the name is not UTF-8")
	case utf8.RuneCountInString(name) > maxName:
		return fmt.Errorf("the name has %d characters, %d are allowed", utf8.RuneCountInString(name), maxName)
	case strings.Contains(name, "/"):
		return errors.New("the name holds a slash, which would end it in a REST path")
	case strings.TrimSpace(name) != name:
		return errors.New("the name begins or ends with white space")
	case strings.ContainsFunc(name, unicode.IsControl):
		return errors.New("the name holds a control character")
	}
	return nil
}
