package registry

import (
	"errors"

	"github.com/millrace-io/millrace/schema/compat"
)

type compatibilityReply struct {
	Compatible bool     `json:"is_compatible"`
	Messages   []string `json:"messages,omitempty"`
}

// checkAll checks against the versions that the subject's level names.
func checkAll(c *call) (any, error) {
	subject, err := c.subject()
	if err != nil {
		return nil, err
	}
	return c.check(subject, func(s *State) ([]*Version, error) { return s.versions(subject, showLive), nil })
}

// checkVersion checks against one version. Against the latest of nothing
// everything is compatible.
func checkVersion(c *call) (any, error) {
	subject, number, err := c.subjectVersion()
	if err != nil {
		return nil, err
	}
	return c.check(subject, func(s *State) ([]*Version, error) {
		v := s.version(subject, number, showLive)
		switch {
		case v != nil:
			return []*Version{v}, nil
		case number == 0:
			return nil, nil
		default:
			return nil, errVersionNotFound(number)
		}
	})
}

func (c *call) check(subject string, against func(*State) ([]*Version, error)) (any, error) {
	var req schemaRequest
	if err := c.decode(&req); err != nil {
		return nil, err
	}
	outcome, err := view(c.reg, func(s *State) (verdict, error) {
		previous, err := against(s)
		if err != nil {
			return verdict{}, err
		}
		next, err := s.prepare(&req, c.normalize(s, subject))
		var invalid *apiError
		if errors.As(err, &invalid) && invalid.Code == 42201 && c.flag("verbose") {
			return verdict{messages: []string{invalid.Message}}, nil
		}
		if err != nil {
			return verdict{}, err
		}
		return s.check(&c.reg.parsed, next, s.level(subject), previous)
	})
	if err != nil {
		return nil, err
	}
	if !c.flag("verbose") {
		outcome.messages = nil
	}
	return compatibilityReply{outcome.compatible, outcome.messages}, nil
}

// configRequest is the body of PUT /config: an absent member stays as it is.
type configRequest struct {
	Compatibility      string `json:"compatibility"`
	CompatibilityLevel string `json:"compatibilityLevel"`
	Normalize          *bool  `json:"normalize"`
}

// configReply answers PUT and DELETE, whose member has another name than GET's.
type configReply struct {
	Compatibility string `json:"compatibility,omitempty"`
	Normalize     *bool  `json:"normalize,omitempty"`
}

// scope is the subject of the path, or none for the global setting.
func (c *call) scope() (string, error) {
	if _, ok := c.params["subject"]; !ok {
		return "", nil
	}
	return c.subject()
}

func getConfig(c *call) (any, error) {
	subject, err := c.scope()
	if err != nil {
		return nil, err
	}
	return view(c.reg, func(s *State) (Settings, error) {
		config, ok := s.configs[subject]
		if !ok && subject != "" && !c.flag("defaultToGlobal") {
			return Settings{}, errNoCompatibility(subject)
		}
		config.Compatibility = string(s.level(subject))
		return config, nil
	})
}

func putConfig(c *call) (any, error) {
	subject, err := c.scope()
	if err != nil {
		return nil, err
	}
	var req configRequest
	if err := c.decode(&req); err != nil {
		return nil, err
	}
	next := Settings{Compatibility: req.Compatibility, Normalize: req.Normalize}
	if next.Compatibility == "" {
		next.Compatibility = req.CompatibilityLevel
	}
	if next == (Settings{}) {
		return nil, errInvalidLevel()
	}
	_, err = change(c.Context(), c.reg, func(s *State) ([]Record, struct{}, error) {
		records, err := s.planConfig(subject, next)
		return records, struct{}{}, err
	})
	if err != nil {
		return nil, err
	}
	if level, err := compat.ParseLevel(next.Compatibility); err == nil {
		next.Compatibility = string(level)
	}
	return configReply(next), nil
}

func deleteConfig(c *call) (any, error) {
	subject, err := c.scope()
	if err != nil {
		return nil, err
	}
	return change(c.Context(), c.reg, func(s *State) ([]Record, configReply, error) {
		config, ok := s.configs[subject]
		if !ok && subject != "" {
			return nil, configReply{}, errSubjectNotFound(subject)
		}
		records := s.tombstones(place{keyConfig, subject, 0})
		if subject == "" {
			config.Compatibility = string(s.defaultLevel)
		}
		return records, configReply(config), nil
	})
}
