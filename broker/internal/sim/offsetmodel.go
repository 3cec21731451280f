package sim

import "fmt"

// offsetModel is what is known of one committed offset. Commits only rise, so
// that going back is told from going on.
type offsetModel struct {
	group, topic string
	partition    int32
	sent         int64 // the highest offset in a commit that was sent; -1 for none
	floor        int64 // the highest that was acknowledged or shown
}

// acked notes the acknowledgement of a commit.
func (m *offsetModel) acked(offset int64) { m.floor = max(m.floor, offset) }

// shown checks an offset that the coordinator returns for a request that was
// made when floor was known. From then on it may not go back behind it:
// somebody may have gone on from there.
func (m *offsetModel) shown(offset, floor int64) error {
	switch {
	case offset < floor:
		return fmt.Errorf("anomaly 14: offset of group %s in %s-%d went back: %d after %d", m.group, m.topic, m.partition, offset, floor)
	case offset > m.sent:
		return fmt.Errorf("offset of group %s in %s-%d is %d, but the highest ever committed is %d", m.group, m.topic, m.partition, offset, m.sent)
	}
	m.acked(offset)
	return nil
}
