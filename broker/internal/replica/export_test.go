package replica

// Queued is how many appends wait to be drained.
func (p *Partition) Queued() int {
	p.queue.mu.Lock()
	defer p.queue.mu.Unlock()
	return len(p.queue.list)
}
