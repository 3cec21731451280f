package node

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// holder names the process that listens on a port, by looking for its socket
// among the open files of all processes. Those of other users cannot be seen.
func holder(address string) string {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return ""
	}
	sockets := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, _ := os.ReadFile(table) // without the table nothing is found
		for line := range strings.Lines(string(text)) {
			if inode, ok := listens(line, number); ok {
				sockets["socket:["+inode+"]"] = true
			}
		}
	}
	if len(sockets) == 0 {
		return ""
	}
	files, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, file := range files {
		if target, err := os.Readlink(file); err == nil && sockets[target] {
			return process(strings.Split(file, "/")[2])
		}
	}
	return ""
}

// listens reads a line of /proc/net/tcp: the local address is the second
// field, the state the fourth (0A is LISTEN), the inode the tenth.
func listens(line string, port uint64) (inode string, ok bool) {
	fields := strings.Fields(line)
	if len(fields) < 10 || fields[3] != "0A" {
		return "", false
	}
	_, hex, _ := strings.Cut(fields[1], ":")
	local, err := strconv.ParseUint(hex, 16, 16)
	return fields[9], err == nil && local == port
}

func process(pid string) string {
	name, err := os.ReadFile("/proc/" + pid + "/comm")
	if err != nil {
		return "process " + pid
	}
	return fmt.Sprintf("%s (process %s)", strings.TrimSpace(string(name)), pid)
}
