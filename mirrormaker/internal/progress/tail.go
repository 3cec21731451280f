package progress

// Tail recognises the records at the end of a target partition that were
// copied after its position was last written.
//
// The tail holds, in order, what the single writer copied; the source gives
// the same records again from the position on, perhaps without some that were
// compacted away meanwhile. So each source record is looked for in what is
// left of the tail, and the first that is not there is the first to copy.
type Tail struct {
	records []Print
	matched int
	skipped int
}

// NewTail starts a comparison with the records of the target, oldest first.
func NewTail(records []Print) *Tail { return &Tail{records: records} }

// Copied reports whether a source record stands in the tail already. Records
// come in the order of their offsets; after the first false the comparison is
// over.
func (t *Tail) Copied(record Print) bool {
	for i := t.matched; i < len(t.records); i++ {
		if t.records[i] == record {
			t.skipped += i - t.matched
			t.matched = i + 1
			return true
		}
	}
	return false
}

// Done reports whether every record of the tail has been passed.
func (t *Tail) Done() bool { return t.matched == len(t.records) }

// Unknown is how many records of the tail no source record equals. In a
// source that is not compacted there can be none, so somebody else writes to
// the target.
func (t *Tail) Unknown() int { return t.skipped + len(t.records) - t.matched }
