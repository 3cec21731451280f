//go:build !linux

package server

import (
	"errors"
	"net"
	"os"
)

// socket is the way beneath the net package, which only Linux has here.
type socket struct{}

func newSocket(net.Conn) *socket { return nil }

func (*socket) writeMore([]byte) error              { return errors.ErrUnsupported }
func (*socket) sendfile(*os.File, int64, int) error { return errors.ErrUnsupported }

// socketReader is the way beneath the net package, which only Linux has here.
type socketReader struct{}

func newSocketReader(net.Conn, *inbox) *socketReader { return nil }

func (*socketReader) read() error { return errors.ErrUnsupported }
