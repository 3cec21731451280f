package broker

import (
	"context"

	"github.com/millrace-io/millrace/broker/internal/controller"
	"github.com/millrace-io/millrace/broker/internal/metadata"
)

// form gives a new cluster its id.
func (f *forwarder) form(ctx context.Context) error {
	_, err := decide(ctx, f, func(s controller.State) ([]metadata.Record, struct{}, *controller.Error) {
		return s.FormCluster(newID()), struct{}{}, nil
	})
	return err
}

// register makes this life of the broker known, fenced, and lets the
// forwarder speak with its epoch (KIP-631).
func (f *forwarder) register(ctx context.Context, r controller.Registration) (err error) {
	f.epoch, err = decide(ctx, f, func(s controller.State) ([]metadata.Record, int64, *controller.Error) {
		return s.RegisterBroker(r)
	})
	return err
}

// unfence lets the broker serve: it leads again, under new leader epochs, what
// it led before.
func (f *forwarder) unfence(ctx context.Context) error {
	_, err := decide(ctx, f, func(s controller.State) ([]metadata.Record, struct{}, *controller.Error) {
		records, refusal := s.UnfenceBroker(f.broker, f.epoch)
		return records, struct{}{}, refusal
	})
	return err
}
