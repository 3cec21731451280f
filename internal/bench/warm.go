package bench

import (
	"context"
	"time"
)

// Warm puts mixed load on a target for a while and throws the figures away:
// a virtual machine compiles meanwhile what it will run.
func Warm(ctx context.Context, t *Target, d time.Duration) error {
	short := Limit{Bytes: 256 << 20, Time: 2 * time.Second}
	small := RawProduce{RecordBytes: 1 << 10, Partitions: 4, Connections: 4, InFlight: 8, Acks: -1, Durability: PageCache, Limit: short}
	large := Produce{RecordBytes: 1 << 10, BatchBytes: mebibyte, Partitions: 4, Producers: 1, Acks: 1, Durability: PageCache, Limit: short}
	synced := small
	synced.Durability = Fsync
	loads := []load{small, large, Consume{Fill: fill(short)}, synced}
	for began, i := time.Now(), 0; time.Since(began) < d; i++ {
		if _, err := loads[i%len(loads)].Run(ctx, t); err != nil {
			return err
		}
	}
	return nil
}
