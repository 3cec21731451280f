// Package node makes one process out of parts: broker, schema registry,
// connect worker, mirrors and the admin server. It is the only package that
// knows them all; millrace dev, millrace start and the demo use it.
//
// [Start] binds every address before it starts anything, so a port in use
// stops nothing half-way. Parts that speak Kafka get a cluster.Profile: that
// of the broker of this process, which goes through memory, or one of the
// file's profiles. A part that ends by itself ends the node, and whoever
// supervises the process starts it again; mirrors alone are restarted here,
// with backoff, because the other cluster may be away for hours.
//
// The admin server has /livez (the process answers), /readyz (every part is
// ready; ?verbose lists them), /metrics and /debug/pprof.
package node
