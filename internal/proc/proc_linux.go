package proc

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Listener finds the process that listens on a TCP port, by looking for its
// socket among the open files of all processes. Those of other users cannot
// be seen.
func Listener(port int) (Process, bool) {
	sockets := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, _ := os.ReadFile(table) // without the table nothing is found
		for line := range strings.Lines(string(text)) {
			if inode, ok := listens(line, uint64(port)); ok {
				sockets["socket:["+inode+"]"] = true
			}
		}
	}
	if len(sockets) == 0 {
		return Process{}, false
	}
	files, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, file := range files {
		if target, err := os.Readlink(file); err == nil && sockets[target] {
			return process(strings.Split(file, "/")[2])
		}
	}
	return Process{}, false
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

func process(id string) (Process, bool) {
	pid, err := strconv.Atoi(id)
	if err != nil {
		return Process{}, false
	}
	name, _ := os.ReadFile("/proc/" + id + "/comm") // one without a name is still the one
	return Process{PID: pid, Name: strings.TrimSpace(string(name))}, true
}

// tick is the unit of times in /proc, the same on every Linux.
const tick = 10 * time.Millisecond

// Of reads what a process has used.
func Of(pid int) (Usage, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Usage{}, fmt.Errorf("process %d: %w: %w", pid, ErrUnknown, err)
	}
	// The name, in parentheses, may hold anything; what follows may not.
	rest := string(stat[strings.LastIndexByte(string(stat), ')')+1:])
	fields := strings.Fields(rest)
	const state, utime, stime = 3, 14, 15 // as proc(5) counts them
	if len(fields) <= stime-state {
		return Usage{}, fmt.Errorf("process %d: %w: /proc/%d/stat has %d fields", pid, ErrUnknown, pid, len(fields))
	}
	user, _ := strconv.ParseInt(fields[utime-state], 10, 64)
	system, _ := strconv.ParseInt(fields[stime-state], 10, 64)
	resident, err := residentOf(pid)
	return Usage{CPU: time.Duration(user+system) * tick, Resident: resident}, err
}

func residentOf(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("process %d: %w: %w", pid, ErrUnknown, err)
	}
	for line := range strings.Lines(string(text)) {
		var kb int64
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kb); n == 1 {
			return kb << 10, nil
		}
	}
	return 0, fmt.Errorf("process %d: %w: no VmRSS", pid, ErrUnknown)
}
