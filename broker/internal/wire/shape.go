package wire

import (
	"fmt"
	"strings"
)

// kmsg believes the number of tagged fields that a flexible request claims:
// nine bytes keep it busy for a hundred seconds. So what it is to decode is
// walked here first, by the shape of the request, and every length and count
// is held against the bytes that are there.
//
// A shape lists the fields in order, apart by spaces:
//
//	1 2 4 8   a field of that many bytes
//	u         a uuid
//	s b       a string, bytes; both may be null
//	[ ... ]   an array, which may be null
//	? ... ]   a struct, which may be null
//	~         tagged fields
//
// A field that not all flexible versions have carries their range: "s:8+" from
// v8 on, "s:-7" up to v7.
var shapes = map[int16]string{
	2:  "4 1 [ s [ 4 4 8 ~ ] ~ ] 4:10+ ~",                                          // ListOffsets
	3:  "[ u:10+ s ~ ] 1 1:-10 1 ~",                                                // Metadata
	8:  "s 4 s s [ s:-9 u:10+ [ 4 8 4 s ~ ] ~ ] ~",                                 // OffsetCommit
	9:  "s:-7 [:-7 s [ 4 ] ~ ] [:8+ s s:9+ 4:9+ [ s:-9 u:10+ [ 4 ] ~ ] ~ ] 1:7+ ~", // OffsetFetch
	10: "s:-3 1 [:4+ s ] ~",                                                        // FindCoordinator
	11: "s 4 4 s s s [ s b ~ ] s:8+ ~",                                             // JoinGroup
	12: "s 4 s s ~",                                                                // Heartbeat
	13: "s [ s s s:5+ ~ ] ~",                                                       // LeaveGroup
	14: "s 4 s s s:5+ s:5+ [ s b ~ ] ~",                                            // SyncGroup
	15: "[ s ] 1 ~",                                                                // DescribeGroups
	16: "[:4+ s ] [:5+ s ] ~",                                                      // ListGroups
	18: "s s s:5+ 4:5+ ~",                                                          // ApiVersions
	19: "[ s 4 2 [ 4 [ 4 ] ~ ] [ s s ~ ] ~ ] 4 1 ~",                                // CreateTopics
	20: "[:-5 s ] [:6+ s u ~ ] 4 ~",                                                // DeleteTopics
	21: "[ s [ 4 8 ~ ] ~ ] 4 ~",                                                    // DeleteRecords
	22: "s 4 8:3+ 2:3+ ~",                                                          // InitProducerId
	23: "4 [ s [ 4 4 4 ~ ] ~ ] ~",                                                  // OffsetForLeaderEpoch
	24: "s:-3 8:-3 2:-3 [:-3 s [ 4 ] ~ ] [:4+ s 8 2 1 [ s [ 4 ] ~ ] ~ ] ~",         // AddPartitionsToTxn
	25: "s 8 2 s ~",                                                                // AddOffsetsToTxn
	26: "s 8 2 1 ~",                                                                // EndTxn
	27: "[ 8 2 1 [ s [ 4 ] ~ ] 4 1:2+ ~ ] ~",                                       // WriteTxnMarkers
	28: "s s 8 2 4:3+ s:3+ s:3+ [ s:-5 u:6+ [ 4 8 4:2+ s ~ ] ~ ] ~",                // TxnOffsetCommit
	32: "[ 1 s [ s ] ~ ] 1 1 ~",                                                    // DescribeConfigs
	33: "[ 1 s [ s s ~ ] ~ ] 1 ~",                                                  // AlterConfigs
	35: "[ s [ 4 ] ~ ] ~",                                                          // DescribeLogDirs
	37: "[ s 4 [ [ 4 ] ~ ] ~ ] 4 1 ~",                                              // CreatePartitions
	42: "[ s ] ~",                                                                  // DeleteGroups
	44: "[ 1 s [ s 1 s ~ ] ~ ] 1 ~",                                                // IncrementalAlterConfigs
	45: "4 1:1+ [ s [ 4 [ 4 ] ~ ] ~ ] ~",                                           // AlterPartitionReassignments
	46: "4 [ s [ 4 ] ~ ] ~",                                                        // ListPartitionReassignments
	48: "[ s 1 s ~ ] 1 ~",                                                          // DescribeClientQuotas
	49: "[ [ s s ~ ] [ s 8 1 ~ ] ~ ] 1 ~",                                          // AlterClientQuotas
	50: "[ s ~ ] ~",                                                                // DescribeUserScramCredentials
	51: "[ s 1 ~ ] [ s 1 4 b b ~ ] ~",                                              // AlterUserScramCredentials
	57: "4 [ s 2 1:-0 1:1+ ~ ] 1:1+ ~",                                             // UpdateFeatures
	60: "1 1:1+ 1:2+ ~",                                                            // DescribeCluster
	61: "[ s [ 4 ] ~ ] ~",                                                          // DescribeProducers
	65: "[ s ] ~",                                                                  // DescribeTransactions
	66: "[ s ] [ 8 ] 8:1+ s:2+ ~",                                                  // ListTransactions
	68: "s s 4 s s 4 [ s ] s:1+ s [ u [ 4 ] ~ ] ~",                                 // ConsumerGroupHeartbeat
	69: "[ s ] 1 ~",                                                                // ConsumerGroupDescribe
	74: "[:1+ 1 ] ~",                                                               // ListConfigResources
	75: "[ s ~ ] 4 ? s 4 ~ ] ~",                                                    // DescribeTopicPartitions
}

// checkShape walks the body of a flexible request. Older versions have no
// tagged fields, and kmsg holds their lengths against the input itself.
func checkShape(h Header, body []byte) error {
	if !Flexible(h.Key, h.Version) {
		return nil
	}
	shape, ok := shapes[h.Key]
	if !ok {
		return &MalformedError{Key: h.Key, Version: h.Version, What: "no shape to check it by"}
	}
	r := reader{src: body}
	r.walk(shape, h.Version)
	return r.err(h.Key, h.Version)
}

// CheckValue walks the value of a flexible record of the broker's own topics,
// behind its version, by the value's shape: what kmsg would make of a count in
// a corrupt one is no better than with a request.
func CheckValue(shape string, version int16, value []byte) error {
	r := reader{src: value}
	r.walk(shape, version)
	if r.failed() {
		return fmt.Errorf("%w: version %d, byte %d: %s", ErrMalformedValue, version, r.pos, r.fault)
	}
	return nil
}

// walk passes over the fields of a shape, up to its end or to the bracket
// that closes it, and returns the shape behind that.
func (r *reader) walk(shape string, version int16) string {
	for shape != "" {
		field, rest, _ := strings.Cut(shape, " ")
		kind, versions, limited := strings.Cut(field, ":")
		present := !limited || within(version, versions)
		switch kind {
		case "]":
			return rest
		case "[":
			shape = r.walkArray(rest, version, present)
			continue
		case "?":
			shape = r.walkOptional(rest, version)
			continue
		case "~":
			r.skipTags()
		default:
			if present {
				r.skipField(kind)
			}
		}
		if r.failed() {
			return ""
		}
		shape = rest
	}
	return ""
}

// walkArray passes over an array whose elements have the shape up to the
// closing bracket, and returns the shape behind it.
func (r *reader) walkArray(element string, version int16, present bool) string {
	n := 0
	if present {
		n = r.array(true, 1)
	}
	for ; n > 0 && !r.failed(); n-- {
		r.walk(element, version)
	}
	if r.failed() {
		return ""
	}
	return behind(element)
}

// walkOptional passes over a struct that a byte of -1 stands for if it is null,
// and returns the shape behind the closing bracket.
func (r *reader) walkOptional(fields string, version int16) string {
	if there := r.span(1); !r.failed() && int8(there[0]) != -1 {
		r.walk(fields, version)
	}
	if r.failed() {
		return ""
	}
	return behind(fields)
}

// behind returns the shape behind the bracket that closes an element.
func behind(element string) string {
	for depth := 1; depth > 0; {
		var field string
		field, element, _ = strings.Cut(element, " ")
		switch {
		case field == "]":
			depth--
		case strings.HasPrefix(field, "["), field == "?":
			depth++
		}
	}
	return element
}

func (r *reader) skipField(kind string) {
	switch kind {
	case "s", "b":
		if n := r.length(true, false); n > 0 {
			r.span(n)
		}
	case "u":
		r.span(16)
	default:
		r.span(int(kind[0] - '0'))
	}
}

// within says whether a version is in a range such as "8+" or "-7".
func within(version int16, versions string) bool {
	limit := int16(0)
	for _, c := range strings.Trim(versions, "+-") {
		limit = 10*limit + int16(c-'0')
	}
	if versions[0] == '-' {
		return version <= limit
	}
	return version >= limit
}
