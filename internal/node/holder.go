package node

import (
	"fmt"
	"net"
	"strconv"

	"github.com/millrace-io/millrace/internal/proc"
)

// holder names the process that listens on an address, empty where that
// cannot be known.
func holder(address string) string {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return ""
	}
	p, ok := proc.Listener(int(number))
	switch {
	case !ok:
		return ""
	case p.Name == "":
		return fmt.Sprintf("process %d", p.PID)
	}
	return fmt.Sprintf("%s (process %d)", p.Name, p.PID)
}
