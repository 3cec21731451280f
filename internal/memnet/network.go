package memnet

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"syscall"
)

// backlog is how many connections may wait to be accepted.
const backlog = 128

// firstPort is the first of the ports that are handed out, to listeners on
// port 0 and to the near ends of connections.
const firstPort = 49152

// Network is a network in memory. Its zero value is ready; it must not be
// copied.
type Network struct {
	mu        sync.Mutex
	listeners map[string]*listener
	conns     map[*conn]string // far ends that are open, with the address dialled
	port      int
}

// Addr is an address in memory, host:port.
type Addr string

// Network implements net.Addr.
func (Addr) Network() string { return "mem" }

func (a Addr) String() string { return string(a) }

// Listen announces an address, host:port. Port 0 takes a free one. An empty
// host answers for every host.
func (n *Network) Listen(address string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: "mem", Addr: Addr(address), Err: err}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if port == "0" {
		address = net.JoinHostPort(host, strconv.Itoa(n.nextPort()))
	}
	if n.listeners[address] != nil {
		return nil, &net.OpError{Op: "listen", Net: "mem", Addr: Addr(address), Err: syscall.EADDRINUSE}
	}
	l := &listener{net: n, addr: Addr(address), waiting: make(chan *conn, backlog), done: make(chan struct{})}
	if n.listeners == nil {
		n.listeners, n.conns = map[string]*listener{}, map[*conn]string{}
	}
	n.listeners[address] = l
	return l, nil
}

// Dial connects to an address that is listened on. Its first argument after
// the context is the network's name, which is ignored, so that Dial has the
// shape of net.Dialer.DialContext.
func (n *Network) Dial(ctx context.Context, _, address string) (net.Conn, error) {
	near, err := n.dial(ctx, address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "mem", Addr: Addr(address), Err: err}
	}
	return near, nil
}

func (n *Network) dial(ctx context.Context, address string) (*conn, error) {
	l, local, err := n.find(address)
	if err != nil {
		return nil, err
	}
	near, far := newPair(local, l.addr)
	far.onClose = func() { n.forget(far) }
	n.mu.Lock()
	n.conns[far] = address
	n.mu.Unlock()
	select {
	case <-l.done:
		err = syscall.ECONNREFUSED
	case <-ctx.Done():
		err = ctx.Err()
	default:
		select {
		case l.waiting <- far:
			// A Close of the listener may have drained before this send.
			select {
			case <-l.done:
				l.drain()
			default:
			}
			return near, nil
		case <-l.done:
			err = syscall.ECONNREFUSED
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	n.forget(far)
	return nil, err
}

// find returns the listener of an address and a local address for the
// dialler.
func (n *Network) find(address string) (*listener, Addr, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, "", err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.listeners[address]
	if l == nil {
		l = n.listeners[":"+port]
	}
	if l == nil {
		return nil, "", syscall.ECONNREFUSED
	}
	return l, Addr(fmt.Sprintf("127.0.0.1:%d", n.nextPort())), nil
}

func (n *Network) nextPort() int {
	n.port = (n.port + 1) % (1<<16 - firstPort)
	return firstPort + n.port
}

func (n *Network) forget(c *conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.conns, c)
}

// Break resets the open connections that were dialled to an address, as the
// death of a machine between two frames, or within one, does: both ends fail
// with ECONNRESET, and what was buffered is lost. It returns how many.
func (n *Network) Break(address string) int {
	n.mu.Lock()
	var hit []*conn
	for c, dialled := range n.conns {
		if dialled == address {
			hit = append(hit, c)
		}
	}
	n.mu.Unlock()
	for _, c := range hit {
		c.reset()
	}
	return len(hit)
}

// listener implements net.Listener.
type listener struct {
	net     *Network
	addr    Addr
	waiting chan *conn
	done    chan struct{}
	close   sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.done:
	default:
		select {
		case c := <-l.waiting:
			return c, nil
		case <-l.done:
		}
	}
	return nil, &net.OpError{Op: "accept", Net: "mem", Addr: l.addr, Err: net.ErrClosed}
}

// Close ends the listening. Connections that nobody accepted are reset, those
// that were accepted stay.
func (l *listener) Close() error {
	l.close.Do(func() {
		l.net.mu.Lock()
		delete(l.net.listeners, string(l.addr))
		l.net.mu.Unlock()
		close(l.done)
		l.drain()
	})
	return nil
}

func (l *listener) drain() {
	for {
		select {
		case c := <-l.waiting:
			c.reset()
		default:
			return
		}
	}
}

func (l *listener) Addr() net.Addr { return l.addr }
