package bench

import (
	"slices"
	"time"
)

// Sample is what one run of a load has measured.
type Sample struct {
	Records, Requests, Bytes int64
	Wall                     time.Duration
	// CPU is user and system time of the server, ClientCPU of this process.
	CPU, ClientCPU time.Duration
	// Resident is the server's memory at the end, in bytes.
	Resident int64
	// Latency is per request for raw loads, per record for others; it may be
	// nil.
	Latency *Histogram
}

// Limit ends a run: at so many bytes or after so much time, whichever comes
// first. Zero fields do not limit.
type Limit struct {
	Bytes int64
	Time  time.Duration
}

// split is the limit of one of n workers.
func (l Limit) split(n int) Limit {
	if l.Bytes > 0 {
		l.Bytes = max(l.Bytes/int64(n), 1)
	}
	return l
}

// over reports whether a worker that began then has done enough.
func (l Limit) over(bytes int64, began time.Time) bool {
	return l.Bytes > 0 && bytes >= l.Bytes || l.Time > 0 && time.Since(began) >= l.Time
}

// Figure is a quantity over several runs.
type Figure struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// Result is a load on one target over several runs. Rates are per second of
// wall clock, sizes in units of 10^6 and 10^9 bytes, CPU is the server's.
// Figures that were not measured are nil.
type Result struct {
	Target string `json:"target"`
	Runs   int    `json:"runs"`

	MBPerSecond       *Figure `json:"mb_per_s,omitempty"`
	RecordsPerSecond  *Figure `json:"records_per_s,omitempty"`
	RequestsPerSecond *Figure `json:"requests_per_s,omitempty"`
	CPUPerGB          *Figure `json:"cpu_s_per_gb,omitempty"`
	CPUPerMillion     *Figure `json:"cpu_s_per_million_records,omitempty"`
	CPUPerRequest     *Figure `json:"cpu_us_per_request,omitempty"`
	ClientCPUPerGB    *Figure `json:"client_cpu_s_per_gb,omitempty"`
	P50               *Figure `json:"p50_ms,omitempty"`
	P99               *Figure `json:"p99_ms,omitempty"`
	P999              *Figure `json:"p999_ms,omitempty"`
	ResidentMB        *Figure `json:"rss_mb,omitempty"`
}

// Summarize brings the runs of one target together.
func Summarize(target string, samples []Sample) Result {
	per := func(quantity func(Sample) float64, by func(Sample) float64, scale float64) *Figure {
		return figure(samples, func(s Sample) (float64, bool) {
			over := by(s)
			return scale * quantity(s) / over, over > 0 && quantity(s) > 0
		})
	}
	wall := func(s Sample) float64 { return s.Wall.Seconds() }
	cpu := func(s Sample) float64 { return s.CPU.Seconds() }
	bytes := func(s Sample) float64 { return float64(s.Bytes) }
	records := func(s Sample) float64 { return float64(s.Records) }
	requests := func(s Sample) float64 { return float64(s.Requests) }
	quantile := func(q float64) *Figure {
		return figure(samples, func(s Sample) (float64, bool) {
			if s.Latency == nil || s.Latency.Count() == 0 {
				return 0, false
			}
			return s.Latency.Quantile(q).Seconds() * 1e3, true
		})
	}
	return Result{
		Target: target, Runs: len(samples),
		MBPerSecond:       per(bytes, wall, 1e-6),
		RecordsPerSecond:  per(records, wall, 1),
		RequestsPerSecond: per(requests, wall, 1),
		CPUPerGB:          per(cpu, bytes, 1e9),
		CPUPerMillion:     per(cpu, records, 1e6),
		CPUPerRequest:     per(cpu, requests, 1e6),
		ClientCPUPerGB:    per(func(s Sample) float64 { return s.ClientCPU.Seconds() }, bytes, 1e9),
		P50:               quantile(0.5), P99: quantile(0.99), P999: quantile(0.999),
		ResidentMB: figure(samples, func(s Sample) (float64, bool) { return float64(s.Resident) / 1e6, s.Resident > 0 }),
	}
}

// figure takes a quantity from each run that has it; nil if none does.
func figure(samples []Sample, of func(Sample) (float64, bool)) *Figure {
	var all []float64
	for _, s := range samples {
		if v, ok := of(s); ok {
			all = append(all, v)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return &Figure{Median: median(all), Min: slices.Min(all), Max: slices.Max(all)}
}

// median of an even number of values is the mean of the two in the middle.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
