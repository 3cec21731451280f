package streams

import "github.com/millrace-io/millrace/streams/internal/query"

// ErrNotHere is returned by a query for a store none of whose tasks runs in
// this instance.
var ErrNotHere = query.ErrNotHere

// StoreQuery reads a store of a running application from outside of it.
type StoreQuery[K, V any] struct {
	app *App
	ref StoreRef[K, V]
}

// Query reads committed values of a store, as far as its tasks run in this
// instance.
func Query[K, V any](app *App, ref StoreRef[K, V]) StoreQuery[K, V] {
	return StoreQuery[K, V]{app, ref}
}

// Get gives the committed value of key. It is not found if there is none, or
// if its task runs in another instance.
func (q StoreQuery[K, V]) Get(key K) (V, bool, error) {
	return q.ref.Lookup(key, func(b []byte) ([]byte, bool, error) { return q.app.stores.Get(q.ref.name, b) })
}
