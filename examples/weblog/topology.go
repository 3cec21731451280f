package weblog

import (
	"strconv"
	"time"

	"github.com/millrace-io/millrace/schema"
	"github.com/millrace-io/millrace/streams"
	"github.com/millrace-io/millrace/streams/serde"
)

// Topics are the names of the topics; Named gives them a common prefix.
type Topics struct {
	Access, Requests, DeadLetters, ByStatus, ByPath, ByHour string
}

// Named returns the topics with a prefix, such as a run id on a cluster that
// others use too.
func Named(prefix string) Topics {
	return Topics{
		Access: prefix + "access", Requests: prefix + "requests", DeadLetters: prefix + "requests-dlq",
		ByStatus: prefix + "by-status", ByPath: prefix + "by-path", ByHour: prefix + "by-hour",
	}
}

// grace is longer than any log: see the package comment.
const grace = 20 * 365 * 24 * time.Hour

// Topology parses lines into requests and counts them.
func Topology(b *streams.Builder, topics Topics, registry *schema.Client) {
	avro := serde.Avro[Request](registry, schema.AutoRegister(true), schema.Named("weblog", "Request"))
	lines := streams.Stream(b, topics.Access, streams.With(serde.String(), serde.String()).EventTime(EventTime))
	parsed := streams.TryMapValues(lines, Parse)
	requests := streams.SelectKey(parsed, func(_ string, r Request) string { return r.Client }).
		With(streams.With(serde.String(), avro))
	requests.To(topics.Requests, streams.With(serde.String(), avro))

	counts := streams.With(serde.String(), serde.JSON[int64]())
	count(requests, "status", func(_ string, r Request) string { return strconv.Itoa(r.Status) }).To(topics.ByStatus, counts)
	count(requests, "path", func(_ string, r Request) string { return r.Path }).To(topics.ByPath, counts)

	hours := streams.CountWindowed(
		streams.GroupBy(requests, func(string, Request) string { return "all" }, serde.String()),
		streams.Tumbling(time.Hour).Grace(grace), "hour")
	streams.Map(hours.ToStream(), func(w streams.Windowed[string], n int64) (string, int64) {
		return w.Start.UTC().Format(time.RFC3339), n
	}).To(topics.ByHour, counts)
}

// count counts requests by a key of their own.
func count(requests streams.KStream[string, Request], store string, key func(string, Request) string) streams.KStream[string, int64] {
	return streams.GroupBy(requests, key, serde.String()).Count(store).ToStream()
}
