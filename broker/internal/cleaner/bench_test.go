package cleaner

import (
	"fmt"
	"testing"

	"github.com/millrace-io/millrace/broker/internal/commitlog"
	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

// BenchmarkClean compacts a log of 64 MiB on the disk: 1 KiB records in batches
// of 16 KiB, each key ten times. MB/s are of the log, which is read twice.
func BenchmarkClean(b *testing.B) {
	for _, codec := range []record.Codec{record.None, record.LZ4, record.Zstd} {
		b.Run(codec.String(), func(b *testing.B) {
			const size, values = 64 << 20, 1 << 10
			b.SetBytes(size)
			for range b.N {
				b.StopTimer()
				log := buildLog(b, codec, size/values, size/values/10)
				job := Job{Log: log, To: log.Spans()[len(log.Spans())-1].End, Now: epoch, Keys: NewOffsetMap(128 << 20)}
				b.StartTimer()
				result, err := job.Run()
				must(b, err)
				if result.Dropped == 0 {
					b.Fatal("nothing was dropped")
				}
				b.StopTimer()
				must(b, log.Close())
				b.StartTimer()
			}
		})
	}
}

func buildLog(b *testing.B, codec record.Codec, records, keys int) *commitlog.Log {
	b.Helper()
	log, err := commitlog.Open(vfs.OS{}, b.TempDir()+"/t-0", commitlog.Config{SegmentBytes: 16 << 20}, commitlog.OpenOptions{})
	must(b, err)
	var bl record.Builder
	bl.SetCodec(codec)
	value := make([]byte, 1000)
	for i := range value {
		value[i] = byte('a' + i*i%23)
	}
	for i := range records {
		copy(value, fmt.Sprint(i))
		bl.Append(record.Record{Timestamp: epoch.UnixMilli(), Key: fmt.Appendf(nil, "key-%08d", i%keys), Value: value})
		if bl.Len() == 16 {
			batch, err := bl.Build()
			must(b, err)
			batch.Stamp(log.End(), 0)
			must(b, log.Append([]record.Batch{batch}, epoch))
			bl.Reset()
		}
	}
	must(b, log.Roll())
	must(b, log.Flush())
	return log
}
