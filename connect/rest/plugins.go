package rest

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/millrace-io/millrace/connect"
)

type pluginBody struct {
	Class   string `json:"class"`
	Type    string `json:"type"`
	Version string `json:"version,omitempty"`
}

func (a *api) plugins(r *http.Request) (answer, error) {
	out := []pluginBody{}
	for _, p := range a.worker.Plugins() {
		out = append(out, pluginBody{p.Name, string(p.Kind), p.Version})
	}
	if r.URL.Query().Get("connectorsOnly") == "false" {
		for _, name := range connect.ConverterNames() {
			out = append(out, pluginBody{name, "converter", ""})
		}
	}
	return ok(out)
}

// definition is one key of a configuration as Kafka Connect describes it.
type definition struct {
	Name        string   `json:"name"`
	Type        string   `json:"type"`
	Required    bool     `json:"required"`
	Default     *string  `json:"default_value"`
	Importance  string   `json:"importance"`
	Doc         string   `json:"documentation"`
	Group       string   `json:"group"`
	Width       string   `json:"width"`
	DisplayName string   `json:"display_name"`
	Dependents  []string `json:"dependents"`
	Order       int      `json:"order"`
}

const (
	commonGroup = "Common"
	pluginGroup = "Connector"
)

// definitions are those of the runtime and then the plugin's own.
func definitions(p connect.Plugin) []definition {
	var out []definition
	add := func(group string, settings []connect.Setting) {
		for i, s := range settings {
			out = append(out, definitionOf(s, group, i+1))
		}
	}
	add(commonGroup, connect.RuntimeSettings())
	add(pluginGroup, p.Settings())
	return out
}

func definitionOf(s connect.Setting, group string, order int) definition {
	d := definition{
		Name: s.Path, Type: javaType(s), Required: s.Required, Importance: "MEDIUM", Doc: s.Doc,
		Group: group, Width: "MEDIUM", DisplayName: s.Path, Dependents: []string{}, Order: order,
	}
	if s.Required {
		d.Importance = "HIGH"
	}
	if s.Default != "" {
		d.Default = &s.Default
	}
	return d
}

// javaType is the type in Kafka's terms; durations and sizes are text with a
// unit here.
func javaType(s connect.Setting) string {
	switch {
	case s.Secret:
		return "PASSWORD"
	case s.Type == "bool":
		return "BOOLEAN"
	case s.Type == "int":
		return "LONG"
	case s.Type == "float":
		return "DOUBLE"
	case s.Type == "list":
		return "LIST"
	default:
		return "STRING"
	}
}

func (a *api) pluginConfig(r *http.Request) (answer, error) {
	p, err := connect.Find(a.worker.Plugins(), r.PathValue("class"))
	if err != nil {
		return answer{}, fail(http.StatusNotFound, "%v", err)
	}
	return ok(definitions(p))
}

type valueBody struct {
	Name        string   `json:"name"`
	Value       *string  `json:"value"`
	Recommended []string `json:"recommended_values"`
	Errors      []string `json:"errors"`
	Visible     bool     `json:"visible"`
}

type checkedBody struct {
	Definition definition `json:"definition"`
	Value      valueBody  `json:"value"`
}

// validate answers 200 with the faults per property.
func (a *api) validate(r *http.Request) (answer, error) {
	var body properties
	if err := decode(r, &body); err != nil {
		return answer{}, err
	}
	props := body.strings()
	class := props["connector.class"]
	if class == "" {
		return answer{}, fail(http.StatusBadRequest, "connector.class is missing")
	}
	p, err := connect.Find(a.worker.Plugins(), class)
	if err != nil {
		return answer{}, fail(http.StatusBadRequest, "%v", err)
	}
	asked, err := connect.Find(a.worker.Plugins(), r.PathValue("class"))
	if err != nil || asked.Name != p.Name {
		return answer{}, fail(http.StatusBadRequest, "Included connector type %s does not match request type %s", class, r.PathValue("class"))
	}
	_, err = a.worker.Check(props)
	var config *connect.ConfigError
	if err != nil && !errors.As(err, &config) {
		return answer{}, err
	}
	return ok(verdict(p, props, config))
}

func verdict(p connect.Plugin, props map[string]string, faults *connect.ConfigError) any {
	found := map[string][]string{}
	if faults != nil {
		for _, f := range faults.Faults {
			found[f.Property] = append(found[f.Property], strings.TrimPrefix(f.Message, f.Property+": "))
		}
	}
	shown := p.Masked(props)
	configs := []checkedBody{}
	for _, d := range definitions(p) {
		value := valueBody{Name: d.Name, Value: d.Default, Recommended: []string{}, Errors: []string{}, Visible: true}
		if given, ok := shown[d.Name]; ok {
			value.Value = &given
		}
		value.Errors = append(value.Errors, found[d.Name]...)
		delete(found, d.Name)
		for _, s := range slices.Concat(connect.RuntimeSettings(), p.Settings()) {
			if s.Path == d.Name && s.Enum != nil {
				value.Recommended = s.Enum
			}
		}
		configs = append(configs, checkedBody{d, value})
	}
	// What has no definition of its own, such as an element of a list, is
	// shown beside the others.
	for name, errs := range found {
		d := definitionOf(connect.Setting{Path: name, Type: "string"}, pluginGroup, len(configs)+1)
		value := shown[name]
		configs = append(configs, checkedBody{d, valueBody{name, &value, []string{}, errs, true}})
	}
	count := 0
	if faults != nil {
		count = len(faults.Faults)
	}
	return struct {
		Name   string        `json:"name"`
		Errors int           `json:"error_count"`
		Groups []string      `json:"groups"`
		Config []checkedBody `json:"configs"`
	}{p.Name, count, []string{commonGroup, pluginGroup}, configs}
}
