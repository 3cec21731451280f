package server

import (
	"log/slog"
	"time"
)

// Config bounds what connections may ask of the server. Zero fields take the
// default in their comment.
type Config struct {
	// MaxRequestBytes bounds a Produce frame (socket.request.max.bytes):
	// 100 MiB.
	MaxRequestBytes int
	// MaxOtherBytes bounds the frames of all other APIs: 4 MiB.
	MaxOtherBytes int
	// MaxQueuedBytes bounds the frames of all connections together, while
	// they are being read and served (queued.max.request.bytes): 256 MiB, and
	// never less than one Produce frame.
	MaxQueuedBytes int64
	// FrameTimeout is how long a frame may take once its length is here: 30 s.
	FrameTimeout time.Duration
	// IdleTimeout closes a connection on which nothing happens
	// (connections.max.idle.ms): 10 min.
	IdleTimeout time.Duration
	// WriteTimeout closes a connection whose client does not take its
	// replies: 30 s.
	WriteTimeout time.Duration
	// DrainTimeout bounds how long Serve waits for replies at its end: 5 s.
	DrainTimeout time.Duration
	// MaxConnections bounds the connections of all listeners
	// (max.connections); 0 for no bound.
	MaxConnections int
	// MaxConnectionsPerIP bounds those of one address
	// (max.connections.per.ip); 0 for no bound.
	MaxConnectionsPerIP int
	// Limits, where it is set, is asked for every new connection in place of
	// the two bounds above.
	Limits func() Limits
	// Gate counts new connections against rates; nil lets all in.
	Gate Gate
	// Logger says why connections were refused, at most once per interval and
	// reason. Nil discards.
	Logger *slog.Logger
	// Metrics counts; its nil functions are left out.
	Metrics Metrics
}

// Metrics is told what happens, by API key. Functions are called on the
// connections' goroutines and must not block.
type Metrics struct {
	// Opened and Closed count connections by listener.
	Opened, Closed func(listener string)
	// Refused counts connections that the server ended itself.
	Refused func(reason Reason)
	// Request counts a frame that was read, with its bytes.
	Request func(key int16, bytes int)
	// Replied counts a reply, with its bytes and the time from its request's
	// last byte until the reply was encoded.
	Replied func(key int16, bytes int, took time.Duration)
	// Failed counts the error codes that replies carry.
	Failed func(key, code int16)
}

func (c Config) withDefaults() Config {
	setDefault(&c.MaxRequestBytes, 100<<20)
	setDefault(&c.MaxOtherBytes, 4<<20)
	setDefault(&c.MaxQueuedBytes, 256<<20)
	c.MaxQueuedBytes = max(c.MaxQueuedBytes, int64(c.MaxRequestBytes))
	setDefault(&c.FrameTimeout, 30*time.Second)
	setDefault(&c.IdleTimeout, 10*time.Minute)
	setDefault(&c.WriteTimeout, 30*time.Second)
	setDefault(&c.DrainTimeout, 5*time.Second)
	if c.Limits == nil {
		fixed := Limits{Connections: c.MaxConnections, PerIP: c.MaxConnectionsPerIP}
		c.Limits = func() Limits { return fixed }
	}
	if c.Gate == nil {
		c.Gate = open{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Metrics = c.Metrics.withDefaults()
	return c
}

func (m Metrics) withDefaults() Metrics {
	if m.Opened == nil {
		m.Opened = func(string) {}
	}
	if m.Closed == nil {
		m.Closed = func(string) {}
	}
	if m.Refused == nil {
		m.Refused = func(Reason) {}
	}
	if m.Request == nil {
		m.Request = func(int16, int) {}
	}
	if m.Replied == nil {
		m.Replied = func(int16, int, time.Duration) {}
	}
	if m.Failed == nil {
		m.Failed = func(int16, int16) {}
	}
	return m
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
