package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/millrace-io/millrace/connect"
)

// offsetStore is what the offset topic says, by connector and source
// partition. The key of a partition is its canonical JSON, so records written
// with another order of their properties are found too.
type offsetStore struct {
	log    *topicLog
	logger *slog.Logger

	mu   sync.Mutex
	rows map[string]map[string]connect.Position
}

func newOffsetStore(logger *slog.Logger) *offsetStore {
	return &offsetStore{logger: logger, rows: map[string]map[string]connect.Position{}}
}

// apply takes one record of the topic; what is none of Kafka Connect's is
// passed over.
func (s *offsetStore) apply(key, value []byte) {
	connector, partition, err := parseOffsetKey(key)
	if err != nil {
		s.logger.Warn("passed over a record of the offset topic", "err", err)
		return
	}
	offset, err := parseObject(value)
	if err != nil {
		s.logger.Warn("passed over a record of the offset topic", "connector", connector, "err", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := partitionKey(partition)
	if offset == nil {
		delete(s.rows[connector], id)
		return
	}
	if s.rows[connector] == nil {
		s.rows[connector] = map[string]connect.Position{}
	}
	s.rows[connector][id] = connect.Position{Partition: partition, Offset: offset}
}

// lookup returns the offsets of partitions, nil where there is none.
func (s *offsetStore) lookup(connector string, partitions []map[string]any) []map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]map[string]any, len(partitions))
	for i, p := range partitions {
		if row, ok := s.rows[connector][partitionKey(p)]; ok {
			out[i] = maps.Clone(row.Offset)
		}
	}
	return out
}

// list returns all positions of a connector, in the order of their keys.
func (s *offsetStore) list(connector string) []connect.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows := s.rows[connector]
	out := make([]connect.Position, 0, len(rows))
	for _, id := range slices.Sorted(maps.Keys(rows)) {
		out = append(out, rows[id])
	}
	return out
}

// write stores positions and returns when they are acked.
func (s *offsetStore) write(ctx context.Context, connector string, positions []connect.Position) error {
	entries := make([]entry, len(positions))
	for i, p := range positions {
		if err := p.Validate(); err != nil {
			return connect.Permanent(err)
		}
		key, err := marshal([]any{connector, p.Partition})
		if err != nil {
			return err
		}
		entries[i] = entry{string(key), p.Offset}
	}
	_, err := s.log.put(ctx, entries)
	return err
}

// partitionKey is the canonical form of a source partition. encoding/json
// sorts the keys of a map, and Position.Validate allows only what it encodes.
func partitionKey(partition map[string]any) string {
	key, err := marshal(partition)
	if err != nil {
		return fmt.Sprint(partition)
	}
	return string(key)
}

var errOffsetKey = errors.New(`the key is not ["<connector>",{partition}]`)

func parseOffsetKey(key []byte) (string, map[string]any, error) {
	var parts []json.RawMessage
	if err := json.Unmarshal(key, &parts); err != nil || len(parts) != 2 {
		return "", nil, errOffsetKey
	}
	var name string
	if err := json.Unmarshal(parts[0], &name); err != nil {
		return "", nil, errOffsetKey
	}
	partition, err := parseObject(parts[1])
	if err != nil {
		return "", nil, errOffsetKey
	}
	return name, partition, nil
}

// parseObject reads a JSON object with whole numbers as int64; null and
// nothing are nil.
func parseObject(data []byte) (map[string]any, error) {
	if len(data) == 0 {
		return nil, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	for key, v := range object {
		number, ok := v.(json.Number)
		if !ok {
			continue
		}
		if whole, err := number.Int64(); err == nil {
			object[key] = whole
		} else if real, err := number.Float64(); err == nil {
			object[key] = real
		}
	}
	return object, nil
}
