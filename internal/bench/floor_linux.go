package bench

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// sendChunk sends the prefix and the file's bytes without copying them.
func (c *floorConn) sendChunk() error {
	tcp, ok := c.nc.(*net.TCPConn)
	if !ok {
		return c.copyChunk()
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	if _, err := c.nc.Write(c.out); err != nil {
		return err
	}
	var failed error
	file, offset, left := int(c.source.Fd()), c.offset, c.Chunk
	err = raw.Write(func(fd uintptr) bool {
		for left > 0 {
			n, err := unix.Sendfile(int(fd), file, &offset, left)
			switch {
			case err == nil && n > 0:
				left -= n
			case errors.Is(err, unix.EINTR):
			case errors.Is(err, unix.EAGAIN):
				return false
			default:
				failed = errors.Join(err, syscall.EPIPE)
				return true
			}
		}
		return true
	})
	return errors.Join(err, failed)
}
