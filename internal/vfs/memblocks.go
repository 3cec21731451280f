package vfs

// blockSize is the unit in which a file in memory grows. Growing by blocks
// never copies what was written before.
const blockSize = 64 << 10

// blocks holds the bytes of one file in memory. Every block but the last has
// blockSize bytes of capacity; bytes beyond size are zero, so that growing
// reads as zeros.
type blocks struct {
	list [][]byte
	size int64
}

func (b *blocks) readAt(p []byte, off int64) int {
	if off >= b.size {
		return 0
	}
	p = p[:min(int64(len(p)), b.size-off)]
	n := 0
	for n < len(p) {
		at := off + int64(n)
		block := b.list[at/blockSize]
		n += copy(p[n:], block[at%blockSize:])
	}
	return n
}

func (b *blocks) writeAt(p []byte, off int64) {
	if len(p) == 0 {
		return
	}
	b.grow(off + int64(len(p)))
	for n := 0; n < len(p); {
		at := off + int64(n)
		n += copy(b.list[at/blockSize][at%blockSize:], p[n:])
	}
}

// grow makes the file at least size bytes long.
func (b *blocks) grow(size int64) {
	if size <= b.size {
		return
	}
	for int64(len(b.list))*blockSize < size {
		b.fillLast(blockSize)
		b.list = append(b.list, nil)
	}
	b.fillLast(int(size - int64(len(b.list)-1)*blockSize))
	b.size = size
}

// fillLast makes the last block at least n bytes long. Small files stay
// small: the block doubles until it is full.
func (b *blocks) fillLast(n int) {
	if len(b.list) == 0 {
		return
	}
	last := &b.list[len(b.list)-1]
	if n <= len(*last) {
		return
	}
	if n > cap(*last) {
		grown := make([]byte, n, min(max(2*cap(*last), n, 512), blockSize))
		copy(grown, *last)
		*last = grown
	}
	*last = (*last)[:n]
}

func (b *blocks) truncate(size int64) {
	if size >= b.size {
		b.grow(size)
		return
	}
	keep := int((size + blockSize - 1) / blockSize)
	clear(b.list[keep:])
	b.list = b.list[:keep]
	if keep > 0 {
		last := &b.list[keep-1]
		end := int(size - int64(keep-1)*blockSize)
		clear((*last)[end:cap(*last)])
		*last = (*last)[:end]
	}
	b.size = size
}

// slice copies out the bytes from off to end; beyond the file there are none.
func (b *blocks) slice(off, end int64) []byte {
	end = min(end, b.size)
	if off >= end {
		return nil
	}
	p := make([]byte, end-off)
	b.readAt(p, off)
	return p
}

func (b *blocks) clone() blocks {
	c := blocks{list: make([][]byte, len(b.list)), size: b.size}
	for i, block := range b.list {
		c.list[i] = append(make([]byte, 0, len(block)), block...)
	}
	return c
}
