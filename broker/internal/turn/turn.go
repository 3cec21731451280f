package turn

import "time"

// A Ticket names a request until its reply is handed out. The caller draws it;
// zero is no ticket.
type Ticket uint64

// A Record is one record of a coordinator's log, in Kafka's format.
type Record interface {
	// Encode returns the record's key and value. A nil value is a tombstone.
	Encode() (key, value []byte)
}

// A Producer owns the transaction that records are part of.
type Producer struct {
	ID    int64
	Epoch int16
}

// A Turn is one event at a machine: when it comes, which request brought it,
// and what it leaves to be done. The caller may reuse a Turn after Reset.
type Turn struct {
	Now     time.Time
	Request Ticket // zero for a tick

	// Records are to be appended, in order and in one batch. The machine has
	// applied them already.
	Records []Record
	// Producer makes the batch a part of that producer's open transaction:
	// until its marker is in the log, the records are pending.
	Producer *Producer
	// Replies answer this request and, where something moved on, others that
	// were waiting.
	Replies []Reply
	// Effects are for the shell to act on when the log has committed all that
	// was appended before them. They are lost with the leadership: a machine
	// that is loaded anew asks for them again.
	Effects []any
}

// A Reply answers the request that a ticket names.
type Reply struct {
	To Ticket
	// Body is the response of the API, as the machine documents it.
	Body any
	// Settled replies show what a crash could take back, so they leave only
	// when the log has committed all that was appended before them.
	Settled bool
}

// Reset empties the turn for another event.
func (t *Turn) Reset(now time.Time, request Ticket) {
	clear(t.Records)
	clear(t.Replies)
	clear(t.Effects)
	*t = Turn{Now: now, Request: request, Records: t.Records[:0], Replies: t.Replies[:0], Effects: t.Effects[:0]}
}

// Reply answers this turn's own request at once.
func (t *Turn) Reply(body any) { t.Answer(t.Request, body) }

// Settle answers this turn's own request when the log has settled.
func (t *Turn) Settle(body any) { t.AnswerSettled(t.Request, body) }

// Answer answers another request at once.
func (t *Turn) Answer(to Ticket, body any) {
	t.Replies = append(t.Replies, Reply{To: to, Body: body})
}

// AnswerSettled answers another request when the log has settled.
func (t *Turn) AnswerSettled(to Ticket, body any) {
	t.Replies = append(t.Replies, Reply{To: to, Body: body, Settled: true})
}
