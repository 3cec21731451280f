package controller

import (
	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Registration asks for a broker to be part of the cluster (KIP-631).
type Registration struct {
	Broker      int32
	ClusterID   string // "" on the very first start, when there is none
	Incarnation metadata.UUID
	Listeners   []metadata.Listener
	Rack        string
	Directories []metadata.UUID
	// CleanEpoch is the broker epoch at the last clean shutdown, 0 where the
	// last life did not end cleanly (KIP-966).
	CleanEpoch int64
	// OtherLife says that the registered incarnation, a different one, still
	// has a session: two processes claim one id.
	OtherLife bool
}

// FormCluster gives a cluster without id the drawn one, and its features: the
// first records of the first leader.
func (s State) FormCluster(id metadata.UUID) []metadata.Record {
	var records []metadata.Record
	if s.Image.ClusterID() == "" {
		records = append(records, &metadata.ClusterID{ID: id.String()})
	}
	if s.Image.Feature(MetadataVersion) == 0 {
		records = append(records, defaultFeatures()...)
	}
	return records
}

// RegisterBroker registers a life of a broker, fenced, and returns its broker
// epoch. What its last life led is without leader until it is unfenced. A
// registration that is repeated changes nothing.
func (s State) RegisterBroker(r Registration) ([]metadata.Record, int64, *Error) {
	p := s.plan()
	if id := p.Image.ClusterID(); id != "" && r.ClusterID != "" && r.ClusterID != id {
		return nil, 0, refuse(kerr.InconsistentClusterID, "broker %d belongs to cluster %s and this is %s; check the address of the controllers and the data directory", r.Broker, r.ClusterID, id)
	}
	old, known := p.Image.Broker(r.Broker)
	if known && old.Incarnation == r.Incarnation {
		return nil, old.Epoch, nil
	}
	if known && r.OtherLife {
		return nil, 0, refuse(kerr.DuplicateBrokerRegistration, "another process is registered as broker %d and alive; give this one another node id, or stop the other", r.Broker)
	}
	epoch := int64(p.entry())
	err := p.add(&metadata.RegisterBroker{
		Broker: r.Broker, Incarnation: r.Incarnation, Listeners: r.Listeners,
		Rack: r.Rack, Directories: r.Directories, Fenced: true, PreviousEpoch: r.CleanEpoch,
	})
	if err == nil && known {
		err = p.leave(r.Broker, r.CleanEpoch == old.Epoch)
	}
	if err != nil {
		return nil, 0, err
	}
	return p.records, epoch, nil
}

// UnfenceBroker lets a broker serve, and elects it where a partition waited
// for it.
func (s State) UnfenceBroker(broker int32, epoch int64) ([]metadata.Record, *Error) {
	return s.fencing(broker, epoch, metadata.Clear, (*plan).join)
}

// FenceBroker takes a broker out of service: out of the ISRs, and others lead
// where it led.
func (s State) FenceBroker(broker int32, epoch int64) ([]metadata.Record, *Error) {
	return s.fencing(broker, epoch, metadata.Set, func(p *plan, broker int32) *Error {
		return p.leave(broker, true)
	})
}

func (s State) fencing(broker int32, epoch int64, fenced metadata.Change, then func(*plan, int32) *Error) ([]metadata.Record, *Error) {
	p := s.plan()
	b, err := p.alive(broker, epoch)
	if err != nil {
		return nil, err
	}
	if b.Fenced == (fenced == metadata.Set) {
		return nil, nil
	}
	if err := p.add(&metadata.BrokerChange{Broker: broker, Epoch: epoch, Fenced: fenced}); err != nil {
		return nil, err
	}
	if err := then(p, broker); err != nil {
		return nil, err
	}
	return p.records, nil
}

// alive finds the registration of this life of a broker.
func (p *plan) alive(broker int32, epoch int64) (*metadata.Broker, *Error) {
	b, ok := p.Image.Broker(broker)
	switch {
	case !ok:
		return nil, refuse(kerr.BrokerIDNotRegistered, "broker %d is not registered", broker)
	case b.Epoch != epoch:
		return nil, refuse(kerr.StaleBrokerEpoch, "broker %d has epoch %d; %d is of another life", broker, b.Epoch, epoch)
	}
	return b, nil
}

// idBlock is the number of producer ids in a block. A broker that restarts
// throws away what is left of its block: 2^63 ids leave room for that.
const idBlock = 1000

// IDBlock is a range of producer ids that belongs to one broker.
type IDBlock struct {
	First int64
	Count int64
}

// AllocateProducerIDs hands the next block of producer ids to a broker. The
// block must not be used before the record is applied: a proposal that is
// lost with its leader gives the same ids to another broker (KAFKA-9144).
func (s State) AllocateProducerIDs(broker int32, epoch int64) ([]metadata.Record, IDBlock, *Error) {
	p := s.plan()
	if _, err := p.alive(broker, epoch); err != nil {
		return nil, IDBlock{}, err
	}
	block := IDBlock{First: p.Image.NextProducerID(), Count: idBlock}
	if err := p.add(&metadata.ProducerIDs{Broker: broker, Next: block.First + block.Count}); err != nil {
		return nil, IDBlock{}, err
	}
	return p.records, block, nil
}
