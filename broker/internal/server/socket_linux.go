package server

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// socket writes to a bare TCP connection beneath the net package. It holds the
// arguments of the call in progress, because a closure per call would
// allocate; only the connection's writer uses it.
type socket struct {
	raw syscall.RawConn
	err error

	// Arguments of writeMore.
	bytes    []byte
	sendMore func(fd uintptr) bool

	// Arguments of sendfile.
	file     int
	off      int64
	left     int
	sendFile func(fd uintptr) bool
}

// newSocket returns nil if the connection is anything but bare TCP.
func newSocket(nc net.Conn) *socket {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	s := &socket{raw: raw}
	s.sendMore, s.sendFile = s.stepBytes, s.stepFile
	return s
}

// writeMore writes bytes that a file will follow at once, so the kernel may
// hold them back for a full segment.
func (s *socket) writeMore(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	s.bytes, s.err = b, nil
	err := s.raw.Write(s.sendMore)
	s.bytes = nil
	if err == nil {
		err = s.err
	}
	return err
}

func (s *socket) stepBytes(fd uintptr) bool {
	for len(s.bytes) > 0 {
		n, err := unix.SendmsgN(int(fd), s.bytes, nil, nil, unix.MSG_MORE|unix.MSG_NOSIGNAL)
		switch {
		case err == nil:
			s.bytes = s.bytes[n:]
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return false
		default:
			s.err = os.NewSyscallError("sendmsg", err)
			return true
		}
	}
	return true
}

// sendfile sends n bytes of f at off, without moving the file's position,
// which other connections share.
func (s *socket) sendfile(f *os.File, off int64, n int) error {
	s.file, s.off, s.left, s.err = int(f.Fd()), off, n, nil
	if err := s.raw.Write(s.sendFile); err != nil {
		return err
	}
	if errors.Is(s.err, io.ErrUnexpectedEOF) {
		return &CloseError{Reason: ReadFailed, Detail: fmt.Sprintf("%s at %d", f.Name(), s.off), Err: s.err}
	}
	return s.err
}

func (s *socket) stepFile(fd uintptr) bool {
	for s.left > 0 {
		n, err := unix.Sendfile(int(fd), s.file, &s.off, s.left)
		switch {
		case err == nil && n == 0:
			s.err = io.ErrUnexpectedEOF
			return true
		case err == nil:
			s.left -= n
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return false
		default:
			s.err = os.NewSyscallError("sendfile", err)
			return true
		}
	}
	return true
}

// socketReader reads from a bare TCP connection into an inbox, which has a
// buffer only while there is something to read.
type socketReader struct {
	in   *inbox
	raw  syscall.RawConn
	err  error
	step func(fd uintptr) bool
}

// newSocketReader returns nil if the connection is anything but bare TCP.
func newSocketReader(nc net.Conn, in *inbox) *socketReader {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	s := &socketReader{in: in, raw: raw}
	s.step = s.readSome
	return s
}

// read waits for bytes, up to the connection's read deadline.
func (s *socketReader) read() error {
	if err := s.raw.Read(s.step); err != nil {
		return err
	}
	return s.err
}

func (s *socketReader) readSome(fd uintptr) bool {
	s.in.open()
	for {
		n, err := unix.Read(int(fd), s.in.buf[s.in.w:])
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			s.in.close()
			return false
		case err != nil:
			s.err = os.NewSyscallError("read", err)
		case n == 0:
			s.err = io.EOF
		default:
			s.in.w += n
			s.err = nil
		}
		return true
	}
}
