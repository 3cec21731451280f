package conf

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxSecret bounds the file behind a placeholder.
const maxSecret = 1 << 20

// Secrets says what placeholders may read. The zero value allows nothing.
type Secrets struct {
	// Any allows every variable and every file: for the operator's own file.
	Any bool
	// Keep reads nothing and leaves placeholders as they are, for a machine
	// that only checks a file which another one runs.
	Keep bool
	// Dirs and EnvPrefixes are allowed otherwise; a file must lie in one of
	// the directories after all symbolic links are followed.
	Dirs, EnvPrefixes []string
	// LookupEnv is os.LookupEnv when nil.
	LookupEnv func(name string) (string, bool)
}

// HasPlaceholder tells whether Expand would change the text.
func HasPlaceholder(text string) bool { return strings.Contains(text, "${") }

// Expand replaces ${env:NAME}, ${env:NAME:-default}, ${file:/path} (whole,
// trimmed) and ${file:/path:key} (of a properties or JSON file); $${ becomes
// ${. Errors name the placeholder and never a secret.
func (s Secrets) Expand(text string) (string, error) {
	var out strings.Builder
	for {
		i := strings.Index(text, "${")
		if i < 0 {
			out.WriteString(text)
			return out.String(), nil
		}
		if i > 0 && text[i-1] == '$' {
			out.WriteString(text[:i-1] + "${")
			text = text[i+2:]
			continue
		}
		body, rest, closed := strings.Cut(text[i+2:], "}")
		if !closed {
			return "", errors.New("${ without }: write $${ for a literal ${")
		}
		value, err := s.resolve(body)
		if err != nil {
			return "", fmt.Errorf("${%s}: %w", body, err)
		}
		out.WriteString(text[:i] + value)
		text = rest
	}
}

func (s Secrets) resolve(body string) (string, error) {
	kind, name, _ := strings.Cut(body, ":")
	switch kind {
	case "env":
		return s.env(name)
	case "file":
		return s.file(name)
	}
	return "", errors.New("need ${env:NAME} or ${file:/path}; write $${ for a literal ${")
}

func (s Secrets) env(text string) (string, error) {
	name, fallback, optional := strings.Cut(text, ":-")
	allowed := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
	if !s.Any && !slices.ContainsFunc(s.EnvPrefixes, allowed) {
		return "", errors.New("not allowed: add its name or a prefix of it to connect.secrets.env_prefixes")
	}
	lookup := s.LookupEnv
	if lookup == nil {
		lookup = os.LookupEnv
	}
	if value, ok := lookup(name); ok {
		return value, nil
	}
	if optional {
		return fallback, nil
	}
	return "", fmt.Errorf("the variable is not set: export it, or give a default: ${env:%s:-default}", name)
}

func (s Secrets) file(text string) (string, error) {
	path, key, keyed := text, "", false
	if i := strings.LastIndex(text, ":"); i >= 0 {
		path, key, keyed = text[:i], text[i+1:], true
	}
	if !filepath.IsAbs(path) {
		return "", errors.New("need an absolute path")
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", pathless(err)
	}
	inside := func(dir string) bool { return contains(dir, real) }
	if !s.Any && !slices.ContainsFunc(s.Dirs, inside) {
		return "", errors.New("not allowed: the file is in none of connect.secrets.dirs")
	}
	info, err := os.Stat(real)
	if err != nil {
		return "", pathless(err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxSecret {
		return "", errors.New("need a plain file of at most 1MiB")
	}
	data, err := os.ReadFile(real)
	if err != nil {
		return "", pathless(err)
	}
	if !keyed {
		return strings.TrimSpace(string(data)), nil
	}
	return keyOf(data, key)
}

// pathless drops the path of a PathError: the placeholder names it already.
func pathless(err error) error {
	var at *os.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

func contains(dir, file string) bool {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return false
	}
	rel, err := filepath.Rel(real, file)
	return err == nil && filepath.IsLocal(rel)
}

// keyOf finds a key in a JSON object or in a properties file.
func keyOf(data []byte, key string) (string, error) {
	object := map[string]any{}
	if json.Unmarshal(data, &object) == nil {
		switch value := object[key].(type) {
		case string:
			return value, nil
		case float64, bool:
			return fmt.Sprint(value), nil
		}
		return "", fmt.Errorf("the file has no key %s", key)
	}
	for line := range strings.Lines(string(data)) {
		name, value, ok := strings.Cut(line, "=")
		if ok && strings.TrimSpace(name) == key && !strings.HasPrefix(strings.TrimSpace(line), "#") {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("the file has no key %s", key)
}
