package commitlog

import "time"

// Retain removes segments that are too old or too many, below the high
// watermark. A segment's age is that of its largest timestamp. The active
// segment is removed only after a roll, which Retain does where everything
// has expired. A log with KeepAll loses nothing here.
//
// It may run beside Append and readers; the caller must not hold what Append
// waits for, since it syncs.
func (l *Log) Retain(now time.Time, highWatermark int64) (deleted int, err error) {
	l.structure.Lock()
	defer l.structure.Unlock()
	start, roll, err := l.expired(now, highWatermark)
	if err != nil {
		return 0, err
	}
	if roll {
		if err := l.Roll(); err != nil {
			return 0, err
		}
	}
	l.raiseStart(start)
	return l.removeBelowStart()
}

// expired returns the offset at which what is kept begins, and whether the
// active segment goes too.
func (l *Log) expired(now time.Time, highWatermark int64) (start int64, roll bool, err error) {
	cfg := *l.config.Load()
	start = l.start.Load()
	if cfg.KeepAll {
		return start, false, nil
	}
	segments := *l.segments.Load()
	size := l.bytes.Load()
	for i, s := range segments {
		end := l.end.Load()
		if i+1 < len(segments) {
			end = segments[i+1].base
		}
		if end > highWatermark || s.size.Load() == 0 {
			break
		}
		gone := cfg.RetentionBytes > 0 && size-s.size.Load() >= cfg.RetentionBytes
		if !gone && cfg.RetentionAge > 0 {
			largest, err := s.largestStamp()
			if err != nil {
				return start, false, err
			}
			gone = largest.Timestamp >= 0 && now.UnixMilli()-largest.Timestamp > cfg.RetentionAge.Milliseconds()
		}
		if !gone {
			break
		}
		size -= s.size.Load()
		start = max(start, end)
		roll = i == len(segments)-1
	}
	return start, roll, nil
}

// NextRetention returns when the oldest segment will have reached the
// retention age; false where no segment ever does. A log that is too large is
// due at once.
func (l *Log) NextRetention(now time.Time) (time.Time, bool) {
	cfg := *l.config.Load()
	if cfg.KeepAll {
		return time.Time{}, false
	}
	first := (*l.segments.Load())[0]
	if cfg.RetentionBytes > 0 && l.bytes.Load()-first.size.Load() >= cfg.RetentionBytes && first.size.Load() > 0 {
		return now, true
	}
	if cfg.RetentionAge <= 0 {
		return time.Time{}, false
	}
	largest, err := first.largestStamp()
	if err != nil {
		return now, true // Retain will report it.
	}
	if largest.Timestamp < 0 {
		return time.Time{}, false
	}
	return time.UnixMilli(largest.Timestamp).Add(cfg.RetentionAge + time.Millisecond), true
}
