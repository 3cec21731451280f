package group

import "time"

// A Ticket names a request until its reply is handed out. The caller draws it;
// zero is no ticket.
type Ticket uint64

// maxTurnBytes bounds the records of one turn, which become one batch. A log
// that refused it would take the other groups of the partition down with this
// one.
const maxTurnBytes = 16 << 20

// A Turn is one event at a group: when it comes, which request brought it, and
// what it leaves to be done. The caller may reuse a Turn after Reset.
type Turn struct {
	Now     time.Time
	Request Ticket // zero for a tick

	// Records are to be appended, in order and in one batch. The State has
	// applied them already.
	Records []Record
	// Replies answer this request and, where a rebalance moved on, those of
	// other members that were waiting.
	Replies []Reply
}

// A Reply answers the request that a ticket names.
type Reply struct {
	To Ticket
	// Body is the response of the API: *JoinResponse, *SyncResponse,
	// *BeatResponse, *LeaveResponse, *CommitResponse, *ForgetResponse,
	// FetchResponse, Description, or the int16 error code of a deletion.
	Body any
	// Settled replies show offsets or assignments, so they leave only when the
	// log has committed all that was appended before them: nobody may act on
	// what a crash could take back.
	Settled bool
}

// Reset empties the turn for another event.
func (t *Turn) Reset(now time.Time, request Ticket) {
	clear(t.Records)
	clear(t.Replies)
	*t = Turn{Now: now, Request: request, Records: t.Records[:0], Replies: t.Replies[:0]}
}

// reply answers this turn's own request at once.
func (t *Turn) reply(body any) { t.answer(t.Request, body) }

// settle answers this turn's own request when the log has settled.
func (t *Turn) settle(body any) { t.answerSettled(t.Request, body) }

func (t *Turn) answer(to Ticket, body any) {
	t.Replies = append(t.Replies, Reply{To: to, Body: body})
}

func (t *Turn) answerSettled(to Ticket, body any) {
	t.Replies = append(t.Replies, Reply{To: to, Body: body, Settled: true})
}
