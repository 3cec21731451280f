package node

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"

	"github.com/millrace-io/millrace/broker"
)

// PortError says that an address which a part needs is taken.
type PortError struct {
	// Part is what wanted the address.
	Part, Address string
	// Holder is who has it, such as "java (process 4711)"; empty where that
	// cannot be known.
	Holder string
	Err    error
}

func (e *PortError) Error() string {
	if e.Holder == "" {
		return fmt.Sprintf("%s: %s is in use", e.Part, e.Address)
	}
	return fmt.Sprintf("%s: %s is in use by %s", e.Part, e.Address, e.Holder)
}

func (e *PortError) Unwrap() error { return e.Err }

// sockets are the bound addresses of the parts.
type sockets struct {
	kafka                    []broker.Listener // each with its Bound
	registry, connect, admin net.Listener
}

func (s sockets) close() {
	all := []net.Listener{s.registry, s.connect, s.admin}
	for _, l := range s.kafka {
		all = append(all, l.Bound)
	}
	for _, l := range all {
		if l != nil {
			_ = l.Close() // whoever runs already has closed its own
		}
	}
}

// bind takes every address that the node needs, before anything is started.
func (n *Node) bind() (s sockets, err error) {
	listen := func(part, address string) net.Listener {
		if address == "" || err != nil {
			return nil
		}
		var l net.Listener
		if l, err = net.Listen("tcp", address); err != nil {
			err = taken(part, address, err)
			return nil
		}
		return l
	}
	if n.cfg.Broker != nil {
		s.kafka = slices.Clone(n.cfg.Broker.Listeners)
		for i, l := range s.kafka {
			s.kafka[i].Bound = listen("kafka", l.Address)
		}
	}
	if n.cfg.Registry != nil {
		s.registry = listen("schema registry", n.cfg.Registry.Listen)
	}
	if n.cfg.Connect != nil {
		s.connect = listen("connect", n.cfg.Connect.Listen)
	}
	s.admin = listen("admin", n.cfg.Admin)
	if err != nil {
		s.close()
		return sockets{}, err
	}
	n.addr = s.addresses()
	return s, nil
}

// taken explains why an address could not be bound.
func taken(part, address string, err error) error {
	if !errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s: %w", part, err)
	}
	return &PortError{Part: part, Address: address, Holder: holder(address), Err: err}
}

func (s sockets) addresses() Addresses {
	url := func(l net.Listener) string {
		if l == nil {
			return ""
		}
		return "http://" + l.Addr().String()
	}
	a := Addresses{Registry: url(s.registry), Connect: url(s.connect), Admin: url(s.admin)}
	if len(s.kafka) > 0 {
		a.Kafka = s.kafka[0].Bound.Addr().String()
	}
	return a
}
