package all

import (
	"github.com/millrace-io/millrace/connect"
	"github.com/millrace-io/millrace/connect/plugins/file"
)

// List names the plugins.
func List() []connect.Plugin {
	return []connect.Plugin{file.Source(), file.Sink()}
}
