package broker

import "math"

// reservedDescriptors are left for what is neither a log nor a connection: a
// snapshot that is written, a client of this process, /metrics. Without them a
// flood of connections would take the disk from under the logs.
const reservedDescriptors = 128

// connectionsWithin is how many connections a process may have that has so
// many descriptors, of which package datadir takes 60 % for logs; 0 for no
// bound.
func connectionsWithin(descriptors uint64) int {
	const fewest = 16
	if descriptors > math.MaxInt32 {
		return 0
	}
	return max(fewest, int(descriptors)*4/10-reservedDescriptors)
}

// fewer is the smaller of two bounds, of which 0 is none.
func fewer(a, b int) int {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
