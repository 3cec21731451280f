package api

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/controller"
)

// InitProducerId (key 22, v0-5): an id for an idempotent producer.
//
// Every call without a transactional id gets a new id with epoch 0, as in
// Kafka, also one that names the id it had (KIP-360). Transactions do not
// exist: a transactional id is UNSUPPORTED_VERSION, which clients show and do
// not retry.

const producerIDTimeout = 30 * time.Second

func (b *Broker) initProducerID(c call, req *kmsg.InitProducerIDRequest) *kmsg.InitProducerIDResponse {
	resp := kmsg.NewPtrInitProducerIDResponse()
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	if req.TransactionalID != nil {
		resp.ErrorCode = kerr.UnsupportedVersion.Code
		return resp
	}
	ctx, cancel := context.WithTimeout(c.ctx, producerIDTimeout)
	defer cancel()
	id, err := b.ids.next(ctx)
	if err != nil {
		b.Logger.Warn("no producer id for a client", "client_id", c.ClientID, "error", err)
		resp.ErrorCode = kerr.CoordinatorLoadInProgress.Code // Retried by clients.
		return resp
	}
	resp.ProducerID, resp.ProducerEpoch = id, 0
	return resp
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
