package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func (s *shell) versionCommand() *cobra.Command {
	c := &cobra.Command{Use: "version", Short: "Print the version", Args: exactly()}
	c.RunE = func(*cobra.Command, []string) error {
		item := struct {
			Version string `json:"version"`
			Go      string `json:"go"`
			OS      string `json:"os"`
			Arch    string `json:"arch"`
		}{version(), runtime.Version(), runtime.GOOS, runtime.GOARCH}
		return s.print(view{
			data: item, names: []string{item.Version}, header: []string{"VERSION", "GO", "OS", "ARCH"},
			rows: [][]string{{item.Version, item.Go, item.OS, item.Arch}},
		})
	}
	return s.printing(c)
}

// version is what the module was built as.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
