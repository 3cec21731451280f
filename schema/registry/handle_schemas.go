package registry

import (
	"slices"
	"strings"

	"github.com/millrace-io/millrace/schema/internal/avrotext"
)

// byID finds a version with the id of the path, of the subject that the query
// names or else the first; soft-deleted ones too, as data refers to them.
func (c *call) byID() (*Version, error) {
	id, err := c.id()
	if err != nil {
		return nil, err
	}
	return view(c.reg, func(s *State) (*Version, error) {
		all := s.uses(id, showAll)
		if subject := c.query.Get("subject"); subject != "" {
			if i := slices.IndexFunc(all, func(v *Version) bool { return v.Subject == subject }); i > 0 {
				all = all[i:]
			}
		}
		if len(all) == 0 {
			return nil, errIDNotFound(id)
		}
		return all[0], nil
	})
}

func schemaByID(c *call) (any, error) {
	v, err := c.byID()
	if err != nil {
		return nil, err
	}
	reply := c.reg.idReply(v)
	if c.flag("fetchMaxId") {
		reply.MaxID, err = view(c.reg, func(s *State) (int, error) { return s.lastID, nil })
	}
	return reply, err
}

func schemaTextByID(c *call) (any, error) {
	v, err := c.byID()
	if err != nil {
		return nil, err
	}
	return text(v.Text), nil
}

func (c *call) usesByID() ([]*Version, error) {
	id, err := c.id()
	if err != nil {
		return nil, err
	}
	return view(c.reg, func(s *State) ([]*Version, error) {
		if s.ids[id] == nil {
			return nil, errIDNotFound(id)
		}
		all := s.uses(id, c.see())
		if subject := c.query.Get("subject"); subject != "" {
			all = slices.DeleteFunc(all, func(v *Version) bool { return v.Subject != subject })
		}
		return all, nil
	})
}

func subjectsByID(c *call) (any, error) {
	all, err := c.usesByID()
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, v := range all {
		if !slices.Contains(names, v.Subject) {
			names = append(names, v.Subject)
		}
	}
	return page(c, names, 0), nil
}

func versionsByID(c *call) (any, error) {
	all, err := c.usesByID()
	if err != nil {
		return nil, err
	}
	replies := []subjectVersionReply{}
	for _, v := range all {
		replies = append(replies, subjectVersionReply{v.Subject, v.Number})
	}
	return page(c, replies, 0), nil
}

// byGUID finds a version whose content has the GUID of the path.
func (c *call) byGUID() (*Version, error) {
	guid := strings.ToLower(c.params["guid"])
	return view(c.reg, func(s *State) (*Version, error) {
		for sum, id := range s.bySum {
			if avrotext.GUID(sum) == guid {
				return s.uses(id, showAll)[0], nil
			}
		}
		return nil, errGUIDNotFound(guid)
	})
}

func schemaByGUID(c *call) (any, error) {
	v, err := c.byGUID()
	if err != nil {
		return nil, err
	}
	reply := c.reg.idReply(v)
	reply.Subject, reply.Version = "", 0
	return reply, nil
}

func idsByGUID(c *call) (any, error) {
	v, err := c.byGUID()
	if err != nil {
		return nil, err
	}
	type contextID struct {
		Context string `json:"context"`
		ID      int    `json:"id"`
	}
	return []contextID{{defaultContext, v.ID}}, nil
}

// schemaTypes lists what can be registered.
func schemaTypes(*call) (any, error) { return []string{typeAvro}, nil }

// maxSchemas bounds a page of GET /schemas.
const maxSchemas = 1000

func listSchemas(c *call) (any, error) {
	all, err := view(c.reg, func(s *State) ([]*Version, error) {
		var all []*Version
		for _, name := range s.listSubjects(prefix(c), c.see()) {
			versions := s.versions(name, c.see())
			if c.flag("latestOnly") {
				versions = versions[len(versions)-1:]
			}
			all = append(all, versions...)
		}
		return all, nil
	})
	if err != nil {
		return nil, err
	}
	replies := []schemaReply{}
	for _, v := range page(c, all, maxSchemas) {
		replies = append(replies, c.reg.schemaReply(v))
	}
	return replies, nil
}

// prefix is the prefix of subjects; Confluent's ":*:" stands for all contexts.
func prefix(c *call) string {
	if p := c.query.Get("subjectPrefix"); p != ":*:" {
		return p
	}
	return ""
}
