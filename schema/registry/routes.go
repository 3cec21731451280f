package registry

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// call is one request on its way through a handler.
type call struct {
	*http.Request
	reg *Registry
	// params are the values of the pattern's names, unescaped.
	params map[string]string
	query  url.Values
}

// handler answers a call with something to encode as JSON, or with text.
type handler func(*call) (any, error)

// text is a reply that is not encoded: a schema as it is.
type text string

// route ties a method and a pattern to a handler. Segments in braces match
// anything, an escaped slash included.
type route struct {
	method, pattern string
	handle          handler
}

// table lists the API. A literal segment stands before a name in its place.
func table() []route {
	return []route{
		{"GET", "/schemas/ids/{id}", schemaByID},
		{"GET", "/schemas/ids/{id}/schema", schemaTextByID},
		{"GET", "/schemas/ids/{id}/subjects", subjectsByID},
		{"GET", "/schemas/ids/{id}/versions", versionsByID},
		{"GET", "/schemas/guids/{guid}", schemaByGUID},
		{"GET", "/schemas/guids/{guid}/ids", idsByGUID},
		{"GET", "/schemas/types", schemaTypes},
		{"GET", "/schemas", listSchemas},

		{"GET", "/subjects", listSubjects},
		{"POST", "/subjects/{subject}", lookupSchema},
		{"DELETE", "/subjects/{subject}", deleteSubject},
		{"GET", "/subjects/{subject}/versions", listVersions},
		{"POST", "/subjects/{subject}/versions", registerSchema},
		{"GET", "/subjects/{subject}/versions/{version}", schemaByVersion},
		{"DELETE", "/subjects/{subject}/versions/{version}", deleteVersion},
		{"GET", "/subjects/{subject}/versions/{version}/schema", schemaTextByVersion},
		{"GET", "/subjects/{subject}/versions/{version}/referencedby", referencedBy},

		{"POST", "/compatibility/subjects/{subject}/versions", checkAll},
		{"POST", "/compatibility/subjects/{subject}/versions/{version}", checkVersion},

		{"GET", "/config", getConfig},
		{"PUT", "/config", putConfig},
		{"DELETE", "/config", deleteConfig},
		{"GET", "/config/{subject}", getConfig},
		{"PUT", "/config/{subject}", putConfig},
		{"DELETE", "/config/{subject}", deleteConfig},

		{"GET", "/mode", getMode},
		{"PUT", "/mode", putMode},
		{"DELETE", "/mode", deleteMode},
		{"GET", "/mode/{subject}", getMode},
		{"PUT", "/mode/{subject}", putMode},
		{"DELETE", "/mode/{subject}", deleteMode},

		{"GET", "/contexts", contexts},
		{"GET", "/v1/metadata/id", metadataID},
		{"GET", "/v1/metadata/version", metadataVersion},
		{"GET", "/", root},
		{"POST", "/", root},
	}
}

// router matches the path as it was sent: a mux that cleans and unescapes it
// would take a subject "a/b" or ".." for something else.
type router struct {
	reg    *Registry
	routes []compiledRoute
}

type compiledRoute struct {
	route
	segments []string
}

func newRouter(reg *Registry) router {
	rt := router{reg: reg}
	for _, r := range table() {
		rt.routes = append(rt.routes, compiledRoute{r, split(r.pattern)})
	}
	return rt
}

func split(path string) []string {
	path = strings.Trim(path, "/")
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}

// match finds the route of a request. Without one it returns the methods that
// the path would take.
func (rt *router) match(method, escapedPath string) (*compiledRoute, map[string]string, []string) {
	segments := split(escapedPath)
	if method == http.MethodHead {
		method = http.MethodGet
	}
	var allowed []string
	for i := range rt.routes {
		r := &rt.routes[i]
		if !r.matches(segments) {
			continue
		}
		if r.method == method {
			return r, r.bind(segments), nil
		}
		if !slices.Contains(allowed, r.method) {
			allowed = append(allowed, r.method)
		}
	}
	return nil, nil, allowed
}

func (r *compiledRoute) matches(segments []string) bool {
	if len(segments) != len(r.segments) {
		return false
	}
	for i, want := range r.segments {
		if want[0] != '{' && want != segments[i] {
			return false
		}
	}
	return true
}

func (r *compiledRoute) bind(segments []string) map[string]string {
	var params map[string]string
	for i, name := range r.segments {
		if name[0] != '{' {
			continue
		}
		value, err := url.PathUnescape(segments[i])
		if err != nil {
			value = segments[i] // the server refuses malformed escapes before
		}
		if params == nil {
			params = make(map[string]string, 2)
		}
		params[name[1:len(name)-1]] = value
	}
	return params
}
