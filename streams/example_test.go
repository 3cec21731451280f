package streams_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/millrace-io/millrace/streams"
	"github.com/millrace-io/millrace/streams/serde"
)

func Example() {
	b := streams.NewBuilder()
	text := streams.With(serde.String(), serde.String())
	words := streams.FlatMapValues(streams.Stream(b, "lines", text), strings.Fields)
	streams.GroupBy(words, func(_, word string) string { return word }, serde.String()).
		Count("word-counts").
		ToStream().To("counts", streams.With(serde.String(), serde.Int64()))

	topology, err := b.Topology()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(topology)
	// Output:
	// subtopology 0
	//   source source-lines <- topic lines -> flat-map-values-1
	//   operator flat-map-values-1 -> select-key-1
	//   operator select-key-1 -> word-counts-repartition-sink
	//   sink word-counts-repartition-sink -> topic <app>-word-counts-repartition
	// subtopology 1
	//   source word-counts-repartition-source <- topic <app>-word-counts-repartition -> word-counts
	//   processor word-counts [store word-counts] -> to-stream-1
	//   operator to-stream-1 -> sink-counts-1
	//   sink sink-counts-1 -> topic counts
}

// Count clicks per user and hour of the time that each click says it has.
func ExampleCountWindowed() {
	type click struct {
		User string
		At   time.Time
	}
	b := streams.NewBuilder()
	with := streams.With(serde.String(), serde.JSON[click]()).
		EventTime(func(_ string, c click) (time.Time, error) { return c.At, nil })
	perUser := streams.GroupBy(streams.Stream(b, "clicks", with), func(_ string, c click) string { return c.User }, serde.String())
	hours := streams.Tumbling(time.Hour).Grace(10 * time.Minute)
	streams.CountWindowed(perUser, hours, "clicks-per-hour").
		ToStream().To("clicks-per-hour", streams.With(streams.WindowedKey(serde.String(), time.Hour), serde.Int64()))

	_, err := b.Topology()
	fmt.Println(err)
	// Output: <nil>
}
