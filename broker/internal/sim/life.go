package sim

import (
	"fmt"
	"path"

	"github.com/millrace-io/millrace/broker/internal/controller"
	"github.com/millrace-io/millrace/broker/internal/coordinator"
	"github.com/millrace-io/millrace/broker/internal/datadir"
	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/broker/internal/quorum"
	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/internal/record"
)

// self is the id of the only broker.
const self = 1

// dataDir is where it keeps everything.
const dataDir = "/data"

// offsetsTopic is the topic of the coordinators.
const offsetsTopic = "__consumer_offsets"

// partitionID names a partition.
type partitionID struct {
	topic string
	index int32
}

func (id partitionID) String() string { return fmt.Sprintf("%s-%d", id.topic, id.index) }

// life is one life of the broker's process: its parts, put together as the
// composition root does it, but without goroutines.
type life struct {
	world *World
	disk  *disk

	dir        *datadir.Dir
	quorum     *quorum.Node
	controller controller.State
	epoch      int64 // of the broker
	serving    bool  // the data plane is open

	replicas *replica.Set
	highest  map[partitionID]int64 // high watermark seen
	flushes  []*flush
	seats    map[partitionID]*seat
	// sick is set when the disk has failed: such a process does not go on for
	// long.
	sick bool
	// dropped is how many records the cleaner has removed.
	dropped int
}

// boot starts the broker on what the disk holds. It returns an error when it
// cannot, or when what it finds is wrong; where the disk dies meanwhile, the
// error means nothing.
func (w *World) boot() error {
	w.lives++
	l := &life{
		world: w, disk: w.disk, highest: map[partitionID]int64{}, seats: map[partitionID]*seat{},
	}
	w.life = l
	if err := l.openDir(); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if err := l.elect(); err != nil {
		return fmt.Errorf("quorum: %w", err)
	}
	image := l.quorum.Image()
	if err := w.checkTopics(image); err != nil {
		return err
	}
	l.serving = true
	for topic := range image.Topics() {
		if err := l.place(topic, allOf(topic)); err != nil {
			return err
		}
	}
	return nil
}

func allOf(topic *metadata.Topic) []int32 {
	list := make([]int32, len(topic.Partitions))
	for i := range list {
		list[i] = int32(i)
	}
	return list
}

// elect opens the quorum, which is this node alone, and registers the broker.
func (l *life) elect() (err error) {
	l.quorum, err = quorum.Open(quorum.Config{
		FS: l.disk, Dir: path.Join(dataDir, "__cluster_metadata-0"), ID: quorum.RaftID(self, metadata.UUID{1}),
		Files: l.dir.Files(), SnapshotEntries: l.world.plan.snapshotEntries,
	}, l.world.now)
	if err != nil {
		return err
	}
	if err := l.quorum.Campaign(); err != nil {
		return err
	}
	if err := l.step(); err != nil {
		return err
	}
	l.controller.Rules = controller.Rules{Static: l.world.plan.static, NewID: l.world.newID}
	return l.register()
}

func (l *life) register() error {
	incarnation := l.world.newID()
	if err := l.propose(func(s controller.State) ([]metadata.Record, error) {
		return s.FormCluster(metadata.UUID{2}), nil
	}); err != nil {
		return err
	}
	if err := l.propose(func(s controller.State) ([]metadata.Record, error) {
		records, epoch, err := s.RegisterBroker(controller.Registration{Broker: self, Incarnation: incarnation})
		l.epoch = epoch
		return records, refusal(err)
	}); err != nil {
		return err
	}
	return l.propose(func(s controller.State) ([]metadata.Record, error) {
		records, err := s.UnfenceBroker(self, l.epoch)
		return records, refusal(err)
	})
}

// refusal is a nil error for a nil *controller.Error.
func refusal(err *controller.Error) error {
	if err == nil {
		return nil
	}
	return err
}

// propose decides upon the speculative image and returns when the entry is
// applied.
func (l *life) propose(decide func(controller.State) ([]metadata.Record, error)) error {
	var refused error
	index, err := l.quorum.Propose(func(image *metadata.Image) []metadata.Record {
		l.controller.Image = image
		var records []metadata.Record
		records, refused = decide(l.controller)
		return records
	})
	if err != nil {
		return err
	}
	if refused != nil {
		return refused
	}
	if err := l.step(); err != nil {
		return err
	}
	if applied := l.quorum.Image().Index(); applied < index {
		return fmt.Errorf("entry %d was proposed, and with nothing left to do %d is applied", index, applied)
	}
	return nil
}

// step runs the raft node until it has nothing to do.
func (l *life) step() error {
	for n := l.quorum; n.HasWork(); {
		if err := n.Begin(l.world.now); err != nil {
			return err
		}
		if n.NeedsFlush() {
			f := n.Log().Capture()
			if err := f.Sync(); err != nil {
				return err
			}
			if err := n.Log().FlushDone(f); err != nil {
				return err
			}
		}
		all, err := n.End()
		if err != nil {
			return err
		}
		for _, a := range all {
			if err := l.apply(a); err != nil {
				return err
			}
		}
		if n.SnapshotDue(l.world.now) {
			if err := n.Snapshot(l.world.now); err != nil {
				return err
			}
		}
	}
	return nil
}

// apply carries a change of the metadata into the data plane, as
// broker/apply.go does. At the start that is done once, from the image.
func (l *life) apply(a quorum.Applied) error {
	if !l.serving {
		return nil
	}
	for _, topic := range a.Delta.Removed() {
		l.finishFlushes() // the broker waits for those that run
		if err := l.replicas.Delete(replica.TopicID(topic.ID)); err != nil {
			return err
		}
	}
	for _, change := range a.Delta.Topics() {
		if err := l.place(change.Topic, change.Partitions); err != nil {
			return err
		}
	}
	return nil
}

// place opens the replicas of a topic that are not open, holds what they find
// against the model, and tells all who leads.
func (l *life) place(topic *metadata.Topic, partitions []int32) error {
	for _, index := range partitions {
		id := partitionID{topic.Name, index}
		_, known := l.replicas.Partition(topic.Name, index)
		m := topic.Partitions[index]
		err := l.replicas.Apply([]replica.Assignment{{
			Topic: topic.Name, TopicID: replica.TopicID(topic.ID), Partition: index, Config: l.world.plan.config(topic.Name),
			Leadership: replica.Leadership{
				Leader: m.Leader, LeaderEpoch: m.LeaderEpoch, PartitionEpoch: m.PartitionEpoch, Replicas: m.Replicas, ISR: m.ISR,
			},
		}})
		if err != nil {
			return err
		}
		p, _ := l.replicas.Partition(topic.Name, index)
		if !known {
			if err := l.world.checkRecovered(id, p); err != nil {
				return err
			}
		}
		if err := l.coordinate(id, p); err != nil {
			return err
		}
	}
	return nil
}

// coordinate loads the groups of a partition of the offsets topic.
func (l *life) coordinate(id partitionID, p *replica.Partition) error {
	if id.topic != offsetsTopic || !p.Leads() || l.seats[id] != nil {
		return nil
	}
	s, err := l.world.load(id, p)
	if err != nil {
		return fmt.Errorf("load %v: %w", id, err)
	}
	l.seats[id] = s
	return nil
}

// partition is the replica of a partition, if it leads.
func (l *life) partition(id partitionID) *replica.Partition {
	if p, ok := l.replicas.Partition(id.topic, id.index); ok && p.Leads() {
		return p
	}
	return nil
}

// seatOf is the coordinator of a group.
func (l *life) seatOf(name string) *seat {
	return l.seats[partitionID{offsetsTopic, coordinator.PartitionFor(name, l.world.plan.offsetPartitions)}]
}

// eachBatch reads a log from its start to its end.
func eachBatch(p *replica.Partition, visit func(record.Batch) error) error {
	for b, err := range p.Log().Batches(p.LogStart(), p.LogEnd()) {
		if err != nil {
			return err
		}
		if err := visit(b); err != nil {
			return err
		}
	}
	return nil
}
