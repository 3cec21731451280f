package worker

import "testing"

func TestStreamTimeSurvivesInOffsetMetadata(t *testing.T) {
	for _, ms := range []int64{-1, 0, 1_431_857_103_000} {
		if back, ok := decodeStreamTime(encodeStreamTime(ms)); !ok || back != ms {
			t.Errorf("%d came back as %d, %t", ms, back, ok)
		}
	}
	// Kafka Streams writes the same for this partition time.
	if got := encodeStreamTime(1000); got != "AQAAAAAAAAPo" {
		t.Errorf("1000 is %s", got)
	}
}

func FuzzDecodeStreamTime(f *testing.F) {
	f.Add("AQAAAAAAAAPo")
	f.Add("a client's own metadata")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if ms, ok := decodeStreamTime(text); ok {
			if back, ok := decodeStreamTime(encodeStreamTime(ms)); !ok || back != ms {
				t.Errorf("%d came back as %d", ms, back)
			}
		}
	})
}
