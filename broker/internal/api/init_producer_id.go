package api

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/controller"
	"github.com/millrace-io/millrace/broker/internal/turn"
	"github.com/millrace-io/millrace/broker/internal/txn"
)

// InitProducerId (key 22, v0-5): an id for an idempotent producer, or the
// ownership of a transactional id.
//
// Every call without a transactional id gets a new id with epoch 0, as in
// Kafka, also one that names the id it had (KIP-360). With one, the
// coordinator bumps the epoch of the producer that owns it, which fences who
// was that before. Up to v3 a fenced producer is told INVALID_PRODUCER_EPOCH.

const producerIDTimeout = 30 * time.Second

func (b *Broker) initProducerID(c call, req *kmsg.InitProducerIDRequest, reply func(*kmsg.InitProducerIDResponse)) {
	answer := func(g txn.Granted) {
		resp := kmsg.NewPtrInitProducerIDResponse()
		resp.ProducerID, resp.ProducerEpoch = g.Producer.ID, g.Producer.Epoch
		resp.ErrorCode = fencedAs(c.Version >= 4, g.Err)
		reply(resp)
	}
	expected := turn.Producer{ID: req.ProducerID, Epoch: req.ProducerEpoch}
	if c.Version < 3 {
		expected = txn.NoProducer
	}
	switch id := req.TransactionalID; {
	case id == nil:
		b.withProducerID(c, func(id int64) { answer(txn.Granted{Producer: turn.Producer{ID: id}}) }, func(err *kerr.Error) { answer(txn.Refuse(err)) })
	case *id == "" || (expected.ID < 0) != (expected.Epoch < 0):
		answer(txn.Refuse(kerr.InvalidRequest))
	default:
		init := txn.Init{Timeout: time.Duration(req.TransactionTimeoutMillis) * time.Millisecond, Expected: expected}
		b.grant(c, func(fresh int64, reply func(txn.Granted)) {
			init := init
			init.Fresh = fresh
			b.Transactions.InitProducerID(*id, &init, reply)
		}, answer)
	}
}

// grant asks for something that may turn out to need a producer id, and then
// asks again with one.
func (b *Broker) grant(c call, ask func(fresh int64, reply func(txn.Granted)), reply func(txn.Granted)) {
	ask(txn.NoID, func(g txn.Granted) {
		if !g.NeedsID {
			reply(g)
			return
		}
		b.withProducerID(c, func(id int64) { ask(id, reply) }, func(err *kerr.Error) { reply(txn.Refuse(err)) })
	})
}

// withProducerID draws an id, which may have to wait for the controller. A
// failure is an error that clients retry.
func (b *Broker) withProducerID(c call, got func(int64), failed func(*kerr.Error)) {
	b.background(c, func(c call) {
		ctx, cancel := context.WithTimeout(c.ctx, producerIDTimeout)
		defer cancel()
		id, err := b.ids.next(ctx)
		if err != nil {
			b.Logger.Warn("no producer id for a client", "client_id", c.ClientID, "error", err)
			failed(kerr.CoordinatorLoadInProgress)
			return
		}
		got(id)
	})
}

// fencedAs is an error's code for a client that may not know PRODUCER_FENCED
// yet (KIP-588).
func fencedAs(known bool, err *kerr.Error) int16 {
	switch {
	case err == nil:
		return 0
	case err.Code == kerr.ProducerFenced.Code && !known:
		return kerr.InvalidProducerEpoch.Code
	}
	return err.Code
}

// producerIDs hands out ids from blocks that the controller reserves for this
// node. An id is never handed out twice; those left in a block at the end are
// lost, of which there are 2^63.
type producerIDs struct {
	controller Controller
	// turn holds the block. It is a channel and not a mutex, because whoever
	// finds the block used up waits for the controller.
	turn chan controller.IDBlock
}

func newProducerIDs(c Controller) *producerIDs {
	ids := &producerIDs{controller: c, turn: make(chan controller.IDBlock, 1)}
	ids.turn <- controller.IDBlock{}
	return ids
}

func (ids *producerIDs) next(ctx context.Context) (int64, error) {
	var block controller.IDBlock
	select {
	case block = <-ids.turn:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	defer func() { ids.turn <- block }()
	if block.Count == 0 {
		fresh, err := ids.controller.AllocateProducerIDs(ctx)
		if err != nil {
			return 0, err
		}
		block = fresh
	}
	id := block.First
	block.First++
	block.Count--
	return id, nil
}
