package node

import (
	"os"
	"strconv"
	"testing"
)

const holderKnown = true

func pid() string { return strconv.Itoa(os.Getpid()) }

func TestListens(t *testing.T) {
	const line = "   0: 0100007F:2384 00000000:0000 %s 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0\n"
	for state, want := range map[string]bool{"0A": true, "01": false} {
		text := line[:len("   0: 0100007F:2384 00000000:0000 ")] + state + line[len("   0: 0100007F:2384 00000000:0000 %s"):]
		if inode, ok := listens(text, 0x2384); ok != want || ok && inode != "4711" {
			t.Errorf("state %s: inode %q, %t", state, inode, ok)
		}
		if _, ok := listens(text, 80); ok {
			t.Errorf("state %s: taken for port 80", state)
		}
	}
	for _, text := range []string{"", "  sl  local_address rem_address   st tx_queue", "0: x y 0A 0 0 0 0 0 0"} {
		if inode, ok := listens(text, 80); ok {
			t.Errorf("%q: inode %s", text, inode)
		}
	}
}
