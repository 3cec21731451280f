// Package quota says how long a client has to pause, so that one client does
// not take what is meant for all.
//
//	metadata.Image ──▶ Limits: who may use how much          (immutable, swapped)
//	                      │ entity that matches, and its rate
//	request, bytes ──▶ Book.Charge ──▶ bucket ──▶ throttle time
//
// # Whose quota
//
// Users, client ids, pairs of both, and defaults of each can have quotas
// (KIP-13, KIP-124, KIP-546). The first entity that has the quota counts:
//
//	user and client id, user and default client, user,
//	default user and client id, default user and default client, default user,
//	client id, default client
//
// A default is not shared: each user or client id that it holds for has a
// bucket of its own. Quotas of new connections are by address (KIP-612).
//
// # How long
//
// A bucket holds what may be used at once: a window's worth of the rate
// (quota.window.num times quota.window.size.seconds). It fills at the rate and
// may be overdrawn, since what a request uses is known only when it is served.
// The throttle time is how long it takes to come out of debt: then the average
// over the window is the rate again, which is what Kafka's own formula gives.
// The request quota counts seconds of the broker's time and throttles for a
// second at most, as in Kafka; the mutation quota (KIP-599) refuses rather
// than overdraws where the client can be told.
//
// # Cost
//
// Without quotas a charge is one load of a pointer. With them it is up to eight
// lookups without allocation and a mutex that is held for moments. Buckets that
// are full again are forgotten, so that made-up client ids fill no memory.
//
// Time is an argument; nothing here waits or runs by itself.
package quota
