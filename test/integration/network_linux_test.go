//go:build integration

package integration

import (
	"net"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ownNetwork gives the test, and the processes that it starts from its own
// goroutine, a network that has nothing but loopback. Who is not root shares
// the machine's, where port 9092 must then be free.
func ownNetwork(t *testing.T) {
	t.Helper()
	// The thread is never unlocked: it ends with the test.
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		l, busy := net.Listen("tcp", "127.0.0.1:9092")
		if busy != nil {
			t.Fatalf("no network of its own (%v), and on the machine's: %v", err, busy)
		}
		l.Close()
		return
	}
	if err := loopbackUp(); err != nil {
		t.Fatal(err)
	}
}

// loopbackUp is `ip link set lo up`.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request := struct {
		name  [unix.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}{flags: unix.IFF_UP}
	copy(request.name[:], "lo")
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return errno
	}
	return nil
}
