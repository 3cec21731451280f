package replica

// marks remember how many bytes lie below the offsets that the high watermark
// may stop at, so that a waiting fetch learns how much has become visible
// without a look into the log.
//
// There is one mark for each write since the high watermark. They are few:
// one flush covers all that were written before it. Where the high watermark
// stands still, neighbours are merged, and bytes are then counted a little
// late, never too early.
type marks struct {
	list  []mark // rising; list[from:] lie above the high watermark
	from  int
	bytes int64 // below the last high watermark asked for
}

type mark struct{ offset, bytes int64 }

// maxMarks bounds the memory of a partition whose high watermark stands still.
const maxMarks = 64

// add notes that bytes lie below offset, counted from when the log was opened.
func (m *marks) add(offset, bytes int64) {
	if m.from == len(m.list) {
		m.list, m.from = m.list[:0], 0
	}
	if len(m.list) == maxMarks {
		m.merge()
	}
	m.list = append(m.list, mark{offset, bytes})
}

// merge drops what lies below the high watermark, or else every other mark.
func (m *marks) merge() {
	kept := m.list[:0]
	for i, x := range m.list[m.from:] {
		if m.from > 0 || i%2 == 1 {
			kept = append(kept, x)
		}
	}
	m.list, m.from = kept, 0
}

// below returns how many bytes lie below the high watermark, which only rises
// between calls.
func (m *marks) below(highWatermark int64) int64 {
	for m.from < len(m.list) && m.list[m.from].offset <= highWatermark {
		m.bytes = m.list[m.from].bytes
		m.from++
	}
	return m.bytes
}
