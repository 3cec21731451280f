package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// result is what a run has found.
type result struct {
	lines, dead, mirrored        int64
	byStatus, byPath, byHour     map[string]int64
	counted, countedBy, countedH int64
}

// result reads the sink's files and the ends of the other topics.
func (p *pipeline) result(ctx context.Context, lines int64) (r result, err error) {
	r.lines = lines
	if r.dead, err = end(ctx, p.here, p.topics.DeadLetters); err != nil {
		return r, err
	}
	if r.mirrored, err = end(ctx, p.there, p.topics.Requests); err != nil {
		return r, err
	}
	for topic, into := range map[string]*map[string]int64{p.topics.ByStatus: &r.byStatus, p.topics.ByPath: &r.byPath, p.topics.ByHour: &r.byHour} {
		if *into, err = readCounts(filepath.Join(p.dir, "counts", topic+".jsonl")); err != nil {
			return r, err
		}
	}
	r.counted, r.countedBy, r.countedH = sum(r.byStatus), sum(r.byPath), sum(r.byHour)
	return r, nil
}

// readCounts reads a file of the sink: the last value of a key is its count.
func readCounts(path string) (map[string]int64, error) {
	counts := map[string]int64{}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return counts, nil // an empty log has no counts
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for in := json.NewDecoder(bufio.NewReader(f)); ; {
		var line struct {
			Key   string `json:"key"`
			Value int64  `json:"value"`
		}
		if err := in.Decode(&line); errors.Is(err, io.EOF) {
			return counts, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		counts[line.Key] = line.Value
	}
}

func sum(counts map[string]int64) (n int64) {
	for _, c := range counts {
		n += c
	}
	return n
}

// ok says whether every line is counted or a dead letter, every count agrees
// with the others, and the mirror has all.
func (r result) ok() bool {
	return r.lines == r.counted+r.dead && r.mirrored == r.counted && r.countedBy == r.counted && r.countedH == r.counted
}

// topPaths is how many paths are shown.
const topPaths = 10

func (r result) print(out io.Writer) {
	fmt.Fprintf(out, "\n%-8s %8s\n", "STATUS", "REQUESTS")
	for _, e := range largest(r.byStatus, len(r.byStatus)) {
		fmt.Fprintf(out, "%-8s %8d\n", e.key, e.count)
	}
	fmt.Fprintf(out, "\n%8s  %s\n", "REQUESTS", "PATH")
	for _, e := range largest(r.byPath, topPaths) {
		fmt.Fprintf(out, "%8d  %s\n", e.count, e.key)
	}
	fmt.Fprintf(out, "\n%d hours with requests\n", len(r.byHour))
	verdict := "ok"
	if !r.ok() {
		verdict = fmt.Sprintf("WRONG (by path %d, by hour %d)", r.countedBy, r.countedH)
	}
	fmt.Fprintf(out, "demo: %d lines in, %d counted, %d dead-lettered, %d mirrored: %s\n", r.lines, r.counted, r.dead, r.mirrored, verdict)
}

type entry struct {
	key   string
	count int64
}

// largest lists the n largest counts, equal ones by key.
func largest(counts map[string]int64, n int) []entry {
	all := make([]entry, 0, len(counts))
	for k, c := range counts {
		all = append(all, entry{k, c})
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Or(-cmp.Compare(a.count, b.count), cmp.Compare(a.key, b.key)) })
	return all[:min(n, len(all))]
}
