package group

// speaks reports whether a member that offers these protocols can take part
// next to those that are here.
func (s *State) speaks(protocolType string, offered []protocol) bool {
	if protocolType == "" || len(offered) == 0 {
		return false
	}
	if s.members.size() == 0 {
		return true
	}
	if protocolType != s.protocolType {
		return false
	}
	for _, p := range offered {
		if s.members.common(p.name) {
			return true
		}
	}
	return false
}

// elect chooses the protocol of the next generation: each member votes for the
// first of its protocols that all offer. A tie goes to the one that the
// earliest member names first.
func (r *roster) elect() string {
	votes := map[string]int{}
	for _, m := range r.order {
		for _, p := range m.protocols {
			if r.common(p.name) {
				votes[p.name]++
				break
			}
		}
	}
	winner := ""
	if len(r.order) > 0 { // what all offer, the first offers too
		for _, p := range r.order[0].protocols {
			if votes[p.name] > votes[winner] {
				winner = p.name
			}
		}
	}
	return winner
}

// offered reads the protocols of a join. A name that comes twice counts once.
func offered(req *JoinRequest) []protocol {
	list := make([]protocol, 0, len(req.Protocols))
	seen := make(map[string]bool, len(req.Protocols))
	for _, p := range req.Protocols {
		if !seen[p.Name] {
			seen[p.Name] = true
			list = append(list, protocol{name: p.Name, metadata: p.Metadata})
		}
	}
	return list
}
