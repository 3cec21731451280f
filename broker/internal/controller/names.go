package controller

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// longestName leaves room for a partition number within the 255 bytes that
// filesystems give a directory's name.
const longestName = 249

const nameLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

// CheckTopicName says why a name cannot be a topic's, or nil. Topics are
// directories, hence the letters; whether another topic collides with the
// name is not checked here.
func CheckTopicName(name string) *Error {
	switch {
	case name == "":
		return refuse(kerr.InvalidTopicException, "a topic name must not be empty")
	case name == "." || name == "..":
		return refuse(kerr.InvalidTopicException, "a topic name must not be %q", name)
	case len(name) > longestName:
		return refuse(kerr.InvalidTopicException, "the topic name has %d characters, the longest allowed has %d", len(name), longestName)
	}
	for _, r := range name {
		if !strings.ContainsRune(nameLetters, r) {
			return refuse(kerr.InvalidTopicException, "topic name %q contains %q; allowed are letters a-z and A-Z, digits, '.', '_' and '-'", name, r)
		}
	}
	return nil
}
