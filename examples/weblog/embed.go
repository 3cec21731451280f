package weblog

import _ "embed"

// Connectors and Mirror are the example's YAML files. The environment
// variables that they name say where the log is and where the counts go.
var (
	//go:embed connectors.yaml
	Connectors []byte
	//go:embed mirror.yaml
	Mirror []byte
)
