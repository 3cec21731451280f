package metadata

import "encoding/binary"

// The bodies of the records, in the order of their kinds. Numbers are
// varints, signed ones zigzag; strings and lists carry their length.

func (*NoOp) encode(b []byte) []byte { return b }
func (*NoOp) decode(*decoder)        {}

func (r *ClusterID) encode(b []byte) []byte { return appendString(b, r.ID) }
func (r *ClusterID) decode(d *decoder)      { r.ID = d.string() }

func (r *Feature) encode(b []byte) []byte {
	return binary.AppendVarint(appendString(b, r.Name), int64(r.Level))
}

func (r *Feature) decode(d *decoder) {
	r.Name = d.string()
	level := d.varint()
	if r.Level = int16(level); int64(r.Level) != level {
		d.fail()
	}
}

func (r *RegisterBroker) encode(b []byte) []byte {
	b = binary.AppendVarint(b, int64(r.Broker))
	b = binary.AppendVarint(b, r.Epoch)
	b = append(b, r.Incarnation[:]...)
	b = binary.AppendUvarint(b, uint64(len(r.Listeners)))
	for _, l := range r.Listeners {
		b = appendString(appendString(b, l.Name), l.Host)
		b = binary.BigEndian.AppendUint16(b, l.Port)
	}
	b = appendString(b, r.Rack)
	b = binary.AppendUvarint(b, uint64(len(r.Directories)))
	for _, dir := range r.Directories {
		b = append(b, dir[:]...)
	}
	b = appendBool(b, r.Fenced)
	return binary.AppendVarint(b, r.PreviousEpoch)
}

func (r *RegisterBroker) decode(d *decoder) {
	r.Broker = d.int32()
	r.Epoch = d.varint()
	r.Incarnation = d.uuid()
	const smallestListener, mostListeners = 4, 64
	n := d.count(smallestListener)
	if n > mostListeners {
		d.fail()
		return
	}
	for range n {
		l := Listener{Name: d.string(), Host: d.string()}
		l.Port = uint16(d.byte())<<8 | uint16(d.byte())
		r.Listeners = append(r.Listeners, l)
	}
	r.Rack = d.string()
	for range d.count(len(UUID{})) {
		r.Directories = append(r.Directories, d.uuid())
	}
	r.Fenced = d.bool()
	r.PreviousEpoch = d.varint()
}

func (r *UnregisterBroker) encode(b []byte) []byte {
	return binary.AppendVarint(binary.AppendVarint(b, int64(r.Broker)), r.Epoch)
}

func (r *UnregisterBroker) decode(d *decoder) {
	r.Broker = d.int32()
	r.Epoch = d.varint()
}

func (r *BrokerChange) encode(b []byte) []byte {
	b = binary.AppendVarint(b, int64(r.Broker))
	b = binary.AppendVarint(b, r.Epoch)
	return append(b, byte(r.Fenced), byte(r.ShuttingDown))
}

func (r *BrokerChange) decode(d *decoder) {
	r.Broker = d.int32()
	r.Epoch = d.varint()
	r.Fenced = d.change()
	r.ShuttingDown = d.change()
}

func (r *NewTopic) encode(b []byte) []byte { return append(appendString(b, r.Name), r.ID[:]...) }

func (r *NewTopic) decode(d *decoder) {
	r.Name = d.string()
	r.ID = d.uuid()
}

func (r *RemoveTopic) encode(b []byte) []byte { return append(b, r.ID[:]...) }
func (r *RemoveTopic) decode(d *decoder)      { r.ID = d.uuid() }

func (r *NewPartition) encode(b []byte) []byte {
	b = append(b, r.Topic[:]...)
	b = binary.AppendVarint(b, int64(r.Index))
	for _, ids := range r.lists() {
		b = appendIDs(b, *ids)
	}
	for _, n := range r.numbers() {
		b = binary.AppendVarint(b, int64(*n))
	}
	return appendBool(b, r.Recovering)
}

func (r *NewPartition) decode(d *decoder) {
	r.Topic = d.uuid()
	r.Index = d.int32()
	for _, ids := range r.lists() {
		*ids = d.ids()
	}
	for _, n := range r.numbers() {
		*n = d.int32()
	}
	r.Recovering = d.bool()
}

// lists and numbers give the fields in the order of the binary form.
func (p *Partition) lists() [5]*[]int32 {
	return [...]*[]int32{&p.Replicas, &p.ISR, &p.ELR, &p.Adding, &p.Removing}
}

func (p *Partition) numbers() [4]*int32 {
	return [...]*int32{&p.Leader, &p.LastKnownLeader, &p.LeaderEpoch, &p.PartitionEpoch}
}

// A PartitionChange begins with a set of bits that say which fields follow:
// bits 0 to 4 the lists, 5 the leader, 6 the last known leader.
const (
	leaderBit    = 5
	lastKnownBit = 6
	changeBits   = 7
)

func (r *PartitionChange) lists() [5]*[]int32 {
	return [...]*[]int32{&r.Replicas, &r.ISR, &r.ELR, &r.Adding, &r.Removing}
}

func (r *PartitionChange) encode(b []byte) []byte {
	b = append(b, r.Topic[:]...)
	b = binary.AppendVarint(b, int64(r.Index))
	b = append(b, r.fields(), byte(r.Recovering))
	for _, ids := range r.lists() {
		if *ids != nil {
			b = appendIDs(b, *ids)
		}
	}
	for _, n := range [...]*int32{r.Leader, r.LastKnownLeader} {
		if n != nil {
			b = binary.AppendVarint(b, int64(*n))
		}
	}
	return b
}

// fields is the set of bits for the fields that change.
func (r *PartitionChange) fields() (bits byte) {
	for i, ids := range r.lists() {
		if *ids != nil {
			bits |= 1 << i
		}
	}
	if r.Leader != nil {
		bits |= 1 << leaderBit
	}
	if r.LastKnownLeader != nil {
		bits |= 1 << lastKnownBit
	}
	return bits
}

func (r *PartitionChange) decode(d *decoder) {
	r.Topic = d.uuid()
	r.Index = d.int32()
	bits := d.byte()
	if bits >= 1<<changeBits {
		d.fail()
		return
	}
	r.Recovering = d.change()
	for i, ids := range r.lists() {
		if bits&(1<<i) != 0 {
			*ids = d.ids()
		}
	}
	if bits&(1<<leaderBit) != 0 {
		r.Leader = new(d.int32())
	}
	if bits&(1<<lastKnownBit) != 0 {
		r.LastKnownLeader = new(d.int32())
	}
}

func (r *ConfigChange) encode(b []byte) []byte {
	b = append(b, byte(r.Resource.Type))
	b = appendString(appendString(b, r.Resource.Name), r.Name)
	b = appendBool(b, r.Value != nil)
	if r.Value != nil {
		b = appendString(b, *r.Value)
	}
	return b
}

func (r *ConfigChange) decode(d *decoder) {
	r.Resource.Type = ResourceType(d.byte())
	r.Resource.Name = d.string()
	r.Name = d.string()
	if d.bool() {
		r.Value = new(d.string())
	}
}

func (r *ProducerIDs) encode(b []byte) []byte {
	return binary.AppendVarint(binary.AppendVarint(b, int64(r.Broker)), r.Next)
}

func (r *ProducerIDs) decode(d *decoder) {
	r.Broker = d.int32()
	r.Next = d.varint()
}
