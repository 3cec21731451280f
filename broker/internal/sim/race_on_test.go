//go:build race

package sim

// defaultSeeds is fewer under the race detector, which has nothing to find in
// one goroutine but the memory that cores leave behind.
const defaultSeeds = 30
