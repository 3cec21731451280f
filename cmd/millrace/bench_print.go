package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/millrace-io/millrace/internal/bench"
)

var resultHeader = []string{"TARGET", "MB/S", "RECORDS/S", "REQUESTS/S", "CPU S/GB", "CPU US/REQ", "P50 MS", "P99 MS", "P99.9 MS", "RSS MB", "CLIENT S/GB", "CPU S/MREC", "CPU RANGE"}

// narrowResult is how many of the columns a table shows that is not wide.
const narrowResult = 10

func resultView(results []bench.Result) view {
	v := view{data: results, header: resultHeader, narrow: narrowResult}
	for _, r := range results {
		v.rows = append(v.rows, resultRow(r))
		v.names = append(v.names, r.Target)
	}
	return v
}

func resultRow(r bench.Result) []string {
	return []string{
		r.Target, figure(r.MBPerSecond, 0), figure(r.RecordsPerSecond, 0), figure(r.RequestsPerSecond, 0), figure(r.CPUPerGB, 2), figure(r.CPUPerRequest, 1),
		figure(r.P50, 2), figure(r.P99, 2), figure(r.P999, 2), figure(r.ResidentMB, 0), figure(r.ClientCPUPerGB, 2), figure(r.CPUPerMillion, 3), span(r.CPUPerGB, 2),
	}
}

func figure(f *bench.Figure, decimals int) string {
	if f == nil {
		return "-"
	}
	return strconv.FormatFloat(f.Median, 'f', decimals, 64)
}

func span(f *bench.Figure, decimals int) string {
	if f == nil {
		return "-"
	}
	return fmt.Sprintf("%.*f-%.*f", decimals, f.Min, decimals, f.Max)
}

func probeView(p bench.Probe) view {
	return view{
		data: p, names: []string{"probe"}, header: []string{"WHAT", "MEASURED"},
		rows: [][]string{
			{"round trip of 100 B over loopback TCP, median", p.RoundTrip.Round(time.Microsecond / 10).String()},
			{"append of 4 KiB and fdatasync: the sync, median", p.SyncP50.Round(time.Microsecond).String()},
			{"append of 4 KiB and fdatasync: the sync, p99", p.SyncP99.Round(time.Microsecond).String()},
			{"appends of 4 KiB with fdatasync, per second", fmt.Sprintf("%.0f", p.SyncsPerSecond)},
			{"appends with fdatasync per MiB, MB/s", fmt.Sprintf("%.0f", p.SyncedMBPerSecond)},
			{"appends of 1 MiB to the page cache, MB/s", fmt.Sprintf("%.0f", p.AppendMBPerSecond)},
		},
	}
}

// printReport prints a suite's report: as a table the results of all
// workloads, the goals, and the probe.
func (s *shell) printReport(r bench.Report) error {
	if s.format != "table" && s.format != "wide" {
		return s.print(view{data: r, names: workNames(r)})
	}
	m := r.Machine
	fmt.Fprintf(s.out, "%s, %d CPUs (%s), Linux %s, load average %s at begin and %s at end\n\n",
		m.Time.Format(time.RFC3339), m.CPUs, m.CPU, m.Kernel, m.LoadBegin, m.LoadEnd)
	results := view{header: append([]string{"WORKLOAD"}, resultHeader...), narrow: narrowResult + 1}
	gates := view{header: []string{"WORKLOAD", "GOAL", "MEASURED", "LIMIT", "MET"}}
	for _, w := range r.Works {
		for _, result := range w.Results {
			results.rows = append(results.rows, append([]string{w.Name}, resultRow(result)...))
		}
		for _, g := range w.Gates {
			met := "yes"
			if !g.Met {
				met = fmt.Sprintf("no: %.2f of it", g.Value/g.Limit)
			}
			gates.rows = append(gates.rows, []string{w.Name, g.Text, fmt.Sprintf("%.3g", g.Value), fmt.Sprintf("%.3g", g.Limit), met})
		}
	}
	for _, v := range []view{results, gates, probeView(r.Probe)} {
		if err := s.table(v); err != nil {
			return err
		}
		fmt.Fprintln(s.out)
	}
	return nil
}

func workNames(r bench.Report) []string {
	var names []string
	for _, w := range r.Works {
		names = append(names, w.Name)
	}
	return names
}
