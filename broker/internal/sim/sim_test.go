package sim

import (
	"flag"
	"testing"
)

var (
	seeds = flag.Int("seeds", 300, "how many seeds TestSeeds plays")
	seed  = flag.Uint64("seed", 0, "the one seed that TestSeeds plays again")
)

// TestSeeds plays many lives of a broker. What fails is named by its seed.
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
	for n := range uint64(*seeds) {
		outcome, err := Play(n + 1)
		if err != nil {
			t.Fatal(err)
		}
		total.add(outcome)
	}
	t.Logf("%d seeds: %d lives, %d power losses, %d stops, %d acks, %d commits, %d events",
		*seeds, total.Lives, total.PowerLosses, total.Stops, total.Acks, total.Commits, total.Events)
	if total.PowerLosses < *seeds || total.Acks < *seeds || total.Commits < *seeds/10 {
		t.Error("the seeds hardly did anything")
	}
}

func (o *Outcome) add(p Outcome) {
	o.Lives += p.Lives
	o.Stops += p.Stops
	o.PowerLosses += p.PowerLosses
	o.Acks += p.Acks
	o.Commits += p.Commits
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
