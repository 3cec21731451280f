package group

import "github.com/twmb/franz-go/pkg/kerr"

// Heartbeat keeps a member's session, and tells it when it should join anew.
func (s *State) Heartbeat(t *Turn, req *BeatRequest) {
	t.Reply(RefuseHeartbeat(s.heartbeat(t, req)))
}

func (s *State) heartbeat(t *Turn, req *BeatRequest) *kerr.Error {
	if s.consumer != nil {
		return s.heartbeatMigrating(t, req)
	}
	m, err := s.identify(req.MemberID, req.InstanceID)
	switch {
	case err != nil:
		return err
	case req.Generation != s.generation:
		return kerr.IllegalGeneration
	}
	s.touch(m, t.Now)
	if s.phase == PreparingRebalance {
		return kerr.RebalanceInProgress
	}
	return nil
}
