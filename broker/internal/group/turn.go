package group

import "github.com/millrace-io/millrace/broker/internal/turn"

// What a group and its shell tell each other. The bodies of replies are
// *JoinResponse, *SyncResponse, *BeatResponse, *LeaveResponse,
// *CommitResponse, *ForgetResponse, FetchResponse, Description, or the int16
// error code of a deletion.
type (
	Turn   = turn.Turn
	Ticket = turn.Ticket
	Reply  = turn.Reply
)

// maxTurnBytes bounds the records of one turn, which become one batch. A log
// that refused it would take the other groups of the partition down with this
// one.
const maxTurnBytes = 16 << 20
