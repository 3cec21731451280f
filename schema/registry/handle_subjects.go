package registry

func listSubjects(c *call) (any, error) {
	names, err := view(c.reg, func(s *State) ([]string, error) { return s.listSubjects(prefix(c), c.see()), nil })
	return page(c, names, 0), err
}

// lookupSchema finds the version of a subject that has the body's schema.
func lookupSchema(c *call) (any, error) {
	subject, err := c.subject()
	if err != nil {
		return nil, err
	}
	var req schemaRequest
	if err := c.decode(&req); err != nil {
		return nil, err
	}
	v, err := view(c.reg, func(s *State) (*Version, error) {
		if len(s.versions(subject, c.see())) == 0 {
			return nil, errSubjectNotFound(subject)
		}
		next, err := s.prepare(&req, c.normalize(s, subject))
		if err != nil {
			return nil, err
		}
		if v := s.find(subject, next.sum, c.see()); v != nil {
			return v, nil
		}
		return nil, errSchemaNotFound()
	})
	if err != nil {
		return nil, err
	}
	return c.reg.schemaReply(v), nil
}

func listVersions(c *call) (any, error) {
	subject, err := c.subject()
	if err != nil {
		return nil, err
	}
	all, err := view(c.reg, func(s *State) ([]int, error) {
		versions := s.versions(subject, c.see())
		if len(versions) == 0 {
			return nil, errSubjectNotFound(subject)
		}
		ns := numbers(versions)
		if c.flag("deletedAsNegative") {
			for i, v := range versions {
				if v.Deleted {
					ns[i] = -v.Number
				}
			}
		}
		return ns, nil
	})
	if err != nil {
		return nil, err
	}
	return page(c, all, 0), nil
}

// byVersion finds the version of the path.
func (c *call) byVersion() (*Version, error) {
	subject, number, err := c.subjectVersion()
	if err != nil {
		return nil, err
	}
	return view(c.reg, func(s *State) (*Version, error) {
		if v := s.version(subject, number, c.see()); v != nil {
			return v, nil
		}
		if number == 0 || len(s.versions(subject, c.see())) == 0 {
			return nil, errSubjectNotFound(subject)
		}
		return nil, errVersionNotFound(number)
	})
}

func schemaByVersion(c *call) (any, error) {
	v, err := c.byVersion()
	if err != nil {
		return nil, err
	}
	return c.reg.schemaReply(v), nil
}

func schemaTextByVersion(c *call) (any, error) {
	v, err := c.byVersion()
	if err != nil {
		return nil, err
	}
	return text(v.Text), nil
}

func referencedBy(c *call) (any, error) {
	v, err := c.byVersion()
	if err != nil {
		return nil, err
	}
	ids, err := view(c.reg, func(s *State) ([]int, error) { return s.referencedBy(v.Subject, v.Number), nil })
	return page(c, ids, 0), err
}

// registerSchema answers a schema that the subject has from memory; only a new
// one waits for its turn to write.
func registerSchema(c *call) (any, error) {
	subject, err := c.subject()
	if err != nil {
		return nil, err
	}
	var req schemaRequest
	if err := c.decode(&req); err != nil {
		return nil, err
	}
	if req.ID > 0 || req.Version > 0 {
		return nil, errNotPermitted("Subject %s is not in import mode: leave id and version out", subject)
	}
	have, err := view(c.reg, func(s *State) (*Version, error) {
		next, err := s.prepare(&req, c.normalize(s, subject))
		if err != nil {
			return nil, err
		}
		return s.find(subject, next.sum, showLive), nil
	})
	if err != nil {
		return nil, err
	}
	if have != nil {
		return c.reg.registerReply(have), nil
	}
	v, err := change(c.Context(), c.reg, func(s *State) ([]Record, *Version, error) {
		next, err := s.prepare(&req, c.normalize(s, subject))
		if err != nil {
			return nil, nil, err
		}
		return s.planRegister(&c.reg.parsed, subject, next)
	})
	if err != nil {
		return nil, err
	}
	// The planned version has no time yet, the one that was applied has.
	return view(c.reg, func(s *State) (registerReply, error) {
		if applied := s.version(subject, v.Number, showAll); applied != nil {
			v = applied
		}
		return c.reg.registerReply(v), nil
	})
}

func deleteSubject(c *call) (any, error) {
	subject, err := c.subject()
	if err != nil {
		return nil, err
	}
	return change(c.Context(), c.reg, func(s *State) ([]Record, []int, error) {
		return s.planDeleteSubject(subject, c.flag("permanent"))
	})
}

func deleteVersion(c *call) (any, error) {
	subject, number, err := c.subjectVersion()
	if err != nil {
		return nil, err
	}
	return change(c.Context(), c.reg, func(s *State) ([]Record, int, error) {
		return s.planDeleteVersion(subject, number, c.flag("permanent"))
	})
}
