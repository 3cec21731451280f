package registry

import (
	"runtime/debug"
	"strings"
)

type modeReply struct {
	Mode string `json:"mode"`
}

func getMode(c *call) (any, error) {
	subject, err := c.scope()
	if err != nil {
		return nil, err
	}
	return view(c.reg, func(s *State) (modeReply, error) {
		if _, ok := s.modes[subject]; !ok && subject != "" && !c.flag("defaultToGlobal") {
			return modeReply{}, errNoMode(subject)
		}
		return modeReply{s.mode(subject)}, nil
	})
}

func putMode(c *call) (any, error) {
	subject, err := c.scope()
	if err != nil {
		return nil, err
	}
	var req modeReply
	if err := c.decode(&req); err != nil {
		return nil, err
	}
	mode := strings.ToUpper(req.Mode)
	if mode != modeReadWrite && mode != modeReadOnly && mode != modeReadOnlyOverride {
		return nil, errInvalidMode()
	}
	return change(c.Context(), c.reg, func(*State) ([]Record, modeReply, error) {
		return []Record{modeRecord(subject, mode)}, modeReply{mode}, nil
	})
}

func deleteMode(c *call) (any, error) {
	subject, err := c.scope()
	if err != nil {
		return nil, err
	}
	return change(c.Context(), c.reg, func(s *State) ([]Record, modeReply, error) {
		mode, ok := s.modes[subject]
		if !ok && subject != "" {
			return nil, modeReply{}, errSubjectNotFound(subject)
		}
		if !ok {
			mode = modeReadWrite
		}
		return s.tombstones(place{keyMode, subject, 0}), modeReply{mode}, nil
	})
}

// defaultContext is the only context of this version.
const defaultContext = "."

func contexts(*call) (any, error) { return []string{defaultContext}, nil }

func root(*call) (any, error) { return struct{}{}, nil }

func metadataID(c *call) (any, error) {
	type clusters struct {
		Kafka    string `json:"kafka-cluster"`
		Registry string `json:"schema-registry-cluster"`
	}
	type scope struct {
		Path     []string `json:"path"`
		Clusters clusters `json:"clusters"`
	}
	id := ""
	if known := c.reg.clusterID.Load(); known != nil {
		id = *known
	}
	return struct {
		Scope scope `json:"scope"`
	}{scope{[]string{}, clusters{id, "schema-registry"}}}, nil
}

func metadataVersion(*call) (any, error) {
	reply := struct {
		Version string `json:"version"`
		Commit  string `json:"commitId"`
	}{Version: "devel"}
	if build, ok := debug.ReadBuildInfo(); ok {
		if build.Main.Version != "" {
			reply.Version = build.Main.Version
		}
		for _, setting := range build.Settings {
			if setting.Key == "vcs.revision" {
				reply.Commit = setting.Value
			}
		}
	}
	return reply, nil
}
