package bench

import (
	"context"
	"fmt"
)

// Side is one of several things that are compared: a load on a target.
type Side struct {
	Name string
	Run  func(context.Context) (Sample, error)
}

// Interleave runs all sides in turn, runs times, each time beginning with
// another one, so that a change of the machine's mood hits all alike. Progress
// is told what runs next; it may be nil.
func Interleave(ctx context.Context, runs int, sides []Side, progress func(string)) ([]Result, error) {
	samples := make([][]Sample, len(sides))
	for round := range runs {
		for i := range sides {
			side := (i + round) % len(sides)
			if progress != nil {
				progress(fmt.Sprintf("run %d of %d: %s", round+1, runs, sides[side].Name))
			}
			s, err := sides[side].Run(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", sides[side].Name, err)
			}
			samples[side] = append(samples[side], s)
		}
	}
	results := make([]Result, len(sides))
	for i, side := range sides {
		results[i] = Summarize(side.Name, samples[i])
	}
	return results, nil
}
