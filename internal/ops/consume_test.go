package ops

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/broker/brokertest"
)

// A read that ends does so where the topic ends, also at a transaction that is
// under way.
func TestConsumeEnds(t *testing.T) {
	b := brokertest.Start(t, brokertest.Topic("t", 2))
	b.Produce("t", "k", "v")
	begin(t, b, "orders", "t")
	c := on(t, b)
	for _, test := range []struct {
		name string
		q    Consume
		want []string
	}{
		{"transaction under way", Consume{Topics: []string{"t"}}, []string{"open", "v"}},
		{"transaction under way, committed", Consume{Topics: []string{"t"}, Committed: true}, []string{"v"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			err := c.Consume(t.Context(), test.q, func(r *kgo.Record) bool {
				got = append(got, string(r.Value))
				return true
			})
			slices.Sort(got)
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("%q, %v, want %q", got, err, test.want)
			}
		})
	}
}
