package proc

import (
	"net"
	"os"
	"testing"
	"time"
)

func TestListener(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if p, ok := Listener(port); !ok || p.PID != os.Getpid() || p.Name == "" {
		t.Errorf("port %d is held by %+v, %v; we are %d", port, p, ok, os.Getpid())
	}
	l.Close()
	if p, ok := Listener(port); ok {
		t.Errorf("nobody listens on port %d any more, but %+v was named", port, p)
	}
}

func TestUsage(t *testing.T) {
	before, err := Of(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if before.Resident < 1<<20 {
		t.Errorf("a Go program in %d bytes", before.Resident)
	}
	for busy := time.Now(); time.Since(busy) < 10*time.Second; {
		if now, _ := Of(os.Getpid()); now.CPU > before.CPU {
			return
		}
	}
	t.Errorf("ten seconds of work cost no CPU time")
}

func TestUsageOfNobody(t *testing.T) {
	if _, err := Of(1 << 30); err == nil {
		t.Error("a process that does not exist has used something")
	}
}

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
