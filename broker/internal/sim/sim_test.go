package sim

import (
	_ "embed"
	"flag"
	"strconv"
	"strings"
	"testing"
)

//go:embed seeds.txt
var failedOnce string

var (
	seeds = flag.Int("seeds", defaultSeeds, "how many seeds TestSeeds plays")
	seed  = flag.Uint64("seed", 0, "the one seed that TestSeeds plays again")
)

// TestSeeds plays many lives of a broker, those of seeds.txt included. What
// fails is named by its seed.
func TestSeeds(t *testing.T) {
	if *seed != 0 {
		outcome, err := Play(*seed)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("seed %d: %+v", *seed, outcome)
		return
	}
	var total Outcome
	for _, n := range list(t) {
		outcome, err := Play(n)
		if err != nil {
			t.Fatal(err)
		}
		total.add(outcome)
	}
	t.Logf("%d seeds: %d lives, %d power losses, %d stops, %d refusals by the disk, %d acks, %d commits, %d transactions, %d records compacted away, %d events",
		*seeds, total.Lives, total.PowerLosses, total.Stops, total.Refusals, total.Acks, total.Commits, total.Transactions, total.Dropped, total.Events)
	if n := *seeds; total.PowerLosses < n || total.Acks < 10*n || total.Commits < n || total.Transactions < n || total.Dropped < n || total.Refusals < n/10 || total.Stops < n/10 {
		t.Error("the seeds hardly did anything")
	}
}

// list is the seeds to play: those that once failed, then 1, 2, 3 ...
func list(t *testing.T) []uint64 {
	t.Helper()
	var all []uint64
	for line := range strings.Lines(failedOnce) {
		first, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if first == "" || first[0] == '#' {
			continue
		}
		n, err := strconv.ParseUint(first, 10, 64)
		if err != nil {
			t.Fatalf("seeds.txt: %v", err)
		}
		all = append(all, n)
	}
	for n := range uint64(*seeds) {
		all = append(all, n+1)
	}
	return all
}

func (o *Outcome) add(p Outcome) {
	o.Lives += p.Lives
	o.Stops += p.Stops
	o.PowerLosses += p.PowerLosses
	o.Refusals += p.Refusals
	o.Acks += p.Acks
	o.Commits += p.Commits
	o.Dropped += p.Dropped
	o.Transactions += p.Transactions
	o.Events += p.Events
}

// A seed that fails must fail again, or nobody could find out why.
func TestSeedsRepeat(t *testing.T) {
	for n := range uint64(10) {
		first, err := Play(n + 1)
		if err != nil {
			t.Fatal(err)
		}
		second, err := Play(n + 1)
		if err != nil {
			t.Fatal(err)
		}
		if first != second {
			t.Errorf("seed %d came out as %+v and then as %+v", n+1, first, second)
		}
	}
}
