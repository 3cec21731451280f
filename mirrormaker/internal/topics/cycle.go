package topics

// A Route is a flow as the search for cycles sees it.
type Route struct {
	// Flow is its name, for messages.
	Flow string
	// From and To are cluster ids.
	From, To string
	Selector *Selector
	Namer    Namer
}

// place is a topic of one cluster.
type place struct{ cluster, topic string }

// Cycle follows a topic of one cluster through the routes and returns the
// names of the flows that bring it back to where it was, in order; nil where
// none does. Prefixed copies end a path by themselves, because a copy is not
// sent back to the cluster that its prefix names.
func Cycle(routes []Route, cluster, topic string) []string {
	var path []string
	onPath := map[place]bool{}
	var visit func(at place) bool
	visit = func(at place) bool {
		if onPath[at] {
			return true
		}
		if len(path) > len(routes) {
			return false // a chain that prefixes for ever is bounded by the routes
		}
		onPath[at] = true
		defer delete(onPath, at)
		for _, r := range routes {
			if r.From != at.cluster || !r.Selector.Selects(at.topic) || r.Namer.CameFromTarget(at.topic) {
				continue
			}
			path = append(path, r.Flow)
			if visit(place{r.To, r.Namer.Name(at.topic)}) {
				return true
			}
			path = path[:len(path)-1]
		}
		return false
	}
	if visit(place{cluster, topic}) {
		return path
	}
	return nil
}

// Taken returns the flow that writes the same target topic as route self does
// with this source topic; empty where none does.
func Taken(routes []Route, self int, topic string) string {
	mine := routes[self]
	for i, r := range routes {
		if i != self && r.To == mine.To && r.From != mine.From &&
			r.Selector.Selects(topic) && r.Namer.Name(topic) == mine.Namer.Name(topic) {
			return r.Flow
		}
	}
	return ""
}
