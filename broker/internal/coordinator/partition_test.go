package coordinator

import "testing"

func TestItem81_PartitionFor(t *testing.T) {
	for _, c := range []struct {
		id   string
		want int32
	}{
		{"", 0},
		{"my-group", 12},               // Java: "my-group".hashCode() % 50
		{"polygenelubricants", 0},      // hashCode is Integer.MIN_VALUE
		{"Gruppe-\u00fc\U0001f600", 9}, // over UTF-16 units, surrogates included
	} {
		if got := PartitionFor(c.id, 50); got != c.want {
			t.Errorf("PartitionFor(%q, 50) = %d, want %d", c.id, got, c.want)
		}
	}
	if got := PartitionFor("g", 0); got != 0 {
		t.Errorf("PartitionFor of no partitions = %d, want 0", got)
	}
}
