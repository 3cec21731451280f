package bench

import (
	"os"
	"runtime"
	"strings"
	"time"
)

// Machine is where a report was measured.
type Machine struct {
	Time      time.Time `json:"time"`
	CPUs      int       `json:"cpus"`
	CPU       string    `json:"cpu,omitempty"`
	Kernel    string    `json:"kernel,omitempty"`
	Go        string    `json:"go"`
	LoadBegin string    `json:"load_average_at_begin,omitempty"`
	LoadEnd   string    `json:"load_average_at_end,omitempty"`
}

func thisMachine() Machine {
	return Machine{
		Time: time.Now().UTC().Truncate(time.Second), CPUs: runtime.NumCPU(), Go: runtime.Version(),
		CPU: cpuModel(), Kernel: firstWord("/proc/sys/kernel/osrelease"), LoadBegin: load1(),
	}
}

func (m *Machine) finish() { m.LoadEnd = load1() }

// load1 is the load average of the last minute.
func load1() string { return firstWord("/proc/loadavg") }

func firstWord(path string) string {
	text, _ := os.ReadFile(path) // absent elsewhere than on Linux
	if words := strings.Fields(string(text)); len(words) > 0 {
		return words[0]
	}
	return ""
}

func cpuModel() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // absent elsewhere than on Linux
	for line := range strings.Lines(string(text)) {
		if name, model, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(model)
		}
	}
	return ""
}
