package topics

import (
	"fmt"
	"regexp"
	"strings"
)

// Namer maps the name of a source topic to its name at the target.
type Namer struct {
	// Template has the placeholders {source} and {topic}.
	Template string
	// Source and Target are the names of the two clusters in the flow's
	// configuration.
	Source, Target string
	// Rename maps single topics before the template is looked at.
	Rename map[string]string
	// Separator ends the source's name where Template is the prefix form.
	Separator string
}

// Identity and Prefix are the named forms of a template.
const (
	Identity = "{topic}"
	prefix   = "{source}%s{topic}"
)

// Prefix is the template that puts the source's name in front.
func Prefix(separator string) string { return fmt.Sprintf(prefix, separator) }

// CheckTemplate reports what is wrong with a template.
func CheckTemplate(template string) error {
	if !strings.Contains(template, "{topic}") {
		return fmt.Errorf("template %q has no {topic}: all topics would have one name", template)
	}
	rest := strings.NewReplacer("{topic}", "", "{source}", "").Replace(template)
	if !legalPart.MatchString(rest) {
		return fmt.Errorf("template %q: only {source}, {topic} and the characters a-z A-Z 0-9 . _ - can stand in it", template)
	}
	return nil
}

var legalPart = regexp.MustCompile(`^[a-zA-Z0-9._-]*$`)

// Name returns what the topic is called at the target.
func (n Namer) Name(topic string) string {
	if to, ok := n.Rename[topic]; ok {
		return to
	}
	return strings.NewReplacer("{source}", n.Source, "{topic}", topic).Replace(n.Template)
}

// CameFromTarget reports whether a topic of the source is itself a copy of
// one at the target, by its prefix, and so must not be sent back.
func (n Namer) CameFromTarget(topic string) bool {
	return n.Template == Prefix(n.Separator) && strings.HasPrefix(topic, n.Target+n.Separator)
}

// maxName is Kafka's limit on topic names, in bytes.
const maxName = 249

// CheckNames reports target names that Kafka would refuse: too long, illegal,
// two sources with one target, or names that differ only in '.' and '_'.
// The sources are taken in the order given, so the first keeps its name.
func CheckNames(sources []string, namer Namer) map[string]error {
	faults := map[string]error{}
	folded := map[string]string{}
	for _, source := range sources {
		target := namer.Name(source)
		if err := checkName(target); err != nil {
			faults[source] = err
			continue
		}
		key := strings.ReplaceAll(target, ".", "_")
		if other, taken := folded[key]; taken {
			faults[source] = fmt.Errorf("its target name %q collides with that of topic %q: rename one of them", target, other)
			continue
		}
		folded[key] = source
	}
	return faults
}

func checkName(name string) error {
	switch {
	case len(name) > maxName:
		return fmt.Errorf("its target name has %d characters, Kafka takes %d: use naming: identity or rename it", len(name), maxName)
	case name == "" || name == "." || name == ".." || !legalPart.MatchString(name):
		return fmt.Errorf("its target name %q is not a legal topic name", name)
	}
	return nil
}
