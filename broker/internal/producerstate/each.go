package producerstate

// Each visits every producer that is held, in no order. The visited must not be
// kept.
func (s *State) Each(visit func(*Producer)) {
	for _, p := range s.producers {
		visit(p)
	}
}
