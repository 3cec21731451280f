package bench

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Suite runs the workloads that have goals, each beside its floor and, if
// there is one, beside another server.
type Suite struct {
	// Ours is a Millrace.
	Ours *Target
	// Against is another server, or nil.
	Against *Target
	// Runs is how often each side runs.
	Runs int
	// Limit ends a run: 1 GiB or 4 s where it is zero.
	Limit Limit
	// Dir is where the floor writes: on the filesystem of the servers.
	Dir string
	// Only names the workloads to run; empty means all.
	Only []string
	// Progress is told what runs next; it may be nil.
	Progress func(string)
}

// Report is what a Suite has measured.
type Report struct {
	Machine Machine `json:"machine"`
	Probe   Probe   `json:"probe"`
	Works   []Work  `json:"works"`
}

// Work is a workload with its results.
type Work struct {
	Name    string   `json:"name"`
	Doc     string   `json:"doc"`
	Results []Result `json:"results"`
	Gates   []Gate   `json:"gates"`
}

// Gate is a goal that a workload is held against.
type Gate struct {
	Text  string  `json:"text"`
	Value float64 `json:"value"`
	Limit float64 `json:"limit"`
	// AtLeast says that the value must reach the limit, not stay below it.
	AtLeast bool `json:"at_least,omitempty"`
	Met     bool `json:"met"`
}

// Names of sides.
const (
	floorSide    = "floor"
	oursSide     = "millrace"
	oursFsync    = "millrace fsync"
	againstSide  = "against"
	againstFsync = "against fsync"
)

// Works lists the names of all workloads.
func Works() []string {
	var names []string
	for _, w := range works {
		names = append(names, w.name)
	}
	return names
}

// Run measures everything.
func (s Suite) Run(ctx context.Context) (Report, error) {
	if s.Limit == (Limit{}) {
		s.Limit = Limit{Bytes: 1 << 30, Time: 4 * time.Second}
	}
	report := Report{Machine: thisMachine()}
	var probes []Probe
	for _, w := range works {
		if !s.wants(w.name) {
			continue
		}
		p, err := Measure(ctx, s.Dir)
		if err != nil {
			return report, fmt.Errorf("probe: %w", err)
		}
		probes = append(probes, p)
		result, err := s.work(ctx, w, p)
		if err != nil {
			return report, fmt.Errorf("%s: %w", w.name, err)
		}
		report.Works = append(report.Works, result)
	}
	report.Probe = medianProbe(probes)
	report.Machine.finish()
	return report, nil
}

func (s Suite) wants(name string) bool {
	if slices.Contains(s.Only, name) {
		return true
	}
	return len(s.Only) == 0
}

func (s Suite) work(ctx context.Context, w work, p Probe) (Work, error) {
	progress := func(text string) {
		if s.Progress != nil {
			s.Progress(w.name + ": " + text)
		}
	}
	results, err := Interleave(ctx, s.Runs, w.sides(s), progress)
	if err != nil {
		return Work{}, err
	}
	done := Work{Name: w.name, Doc: w.doc, Results: results}
	sides := map[string]Result{}
	for _, r := range results {
		sides[r.Target] = r
	}
	for _, g := range w.gates {
		if value, limit, ok := g.measure(sides, p); ok {
			met := value <= limit
			if g.atLeast {
				met = value >= limit
			}
			done.Gates = append(done.Gates, Gate{Text: g.text, Value: value, Limit: limit, AtLeast: g.atLeast, Met: met})
		}
	}
	return done, nil
}

func medianProbe(all []Probe) Probe {
	of := func(field func(Probe) float64) float64 {
		var values []float64
		for _, p := range all {
			values = append(values, field(p))
		}
		if len(values) == 0 {
			return 0
		}
		return median(values)
	}
	return Probe{
		RoundTrip:         time.Duration(of(func(p Probe) float64 { return float64(p.RoundTrip) })),
		SyncP50:           time.Duration(of(func(p Probe) float64 { return float64(p.SyncP50) })),
		SyncP99:           time.Duration(of(func(p Probe) float64 { return float64(p.SyncP99) })),
		SyncsPerSecond:    of(func(p Probe) float64 { return p.SyncsPerSecond }),
		SyncedMBPerSecond: of(func(p Probe) float64 { return p.SyncedMBPerSecond }),
		AppendMBPerSecond: of(func(p Probe) float64 { return p.AppendMBPerSecond }),
	}
}
