package registry

import (
	"net/http"
	"strconv"
	"strings"
	"unicode"
)

// subject is the subject of the path. It is opaque: slashes, dots and Unicode
// are part of its name.
func (c *call) subject() (string, error) {
	name := c.params["subject"]
	control := strings.ContainsFunc(name, unicode.IsControl)
	if name == "" || control || name == "__GLOBAL" || name == "__EMPTY" {
		return "", errInvalidSubject(name)
	}
	return name, nil
}

// version is the version of the path; 0 is the latest.
func (c *call) version() (int, error) {
	s := c.params["version"]
	if s == "latest" || s == "-1" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n < 1 {
		return 0, errInvalidVersion(s)
	}
	return int(n), nil
}

// subjectVersion is both.
func (c *call) subjectVersion() (string, int, error) {
	name, err := c.subject()
	if err != nil {
		return "", 0, err
	}
	number, err := c.version()
	return name, number, err
}

func (c *call) id() (int, error) {
	n, err := strconv.ParseInt(c.params["id"], 10, 32)
	if err != nil {
		return 0, fail(http.StatusNotFound, "HTTP 404 Not Found")
	}
	return int(n), nil
}

func (c *call) flag(name string) bool {
	on, err := strconv.ParseBool(c.query.Get(name))
	return err == nil && on
}

// see says which versions the request asks for.
func (c *call) see() show {
	switch {
	case c.flag("deletedOnly"):
		return showDeleted
	case c.flag("deleted"):
		return showAll
	default:
		return showLive
	}
}

func (c *call) normalize(s *State, subject string) bool {
	if c.query.Has("normalize") {
		return c.flag("normalize")
	}
	return s.normalizes(subject)
}

// page cuts a list by offset and limit; a limit below 1 means no limit, or
// most if there is one.
func page[V any](c *call, all []V, most int) []V {
	offset, err := strconv.Atoi(c.query.Get("offset"))
	if err != nil || offset < 0 {
		offset = 0
	}
	all = all[min(offset, len(all)):]
	limit, err := strconv.Atoi(c.query.Get("limit"))
	if err != nil || limit < 1 || most > 0 && limit > most {
		limit = most
	}
	if limit > 0 {
		all = all[:min(limit, len(all))]
	}
	return all
}

func join(messages []string) string { return strings.Join(messages, ", ") }
