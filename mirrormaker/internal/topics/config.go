package topics

import "slices"

import "strings"

// excluded lists the configs that must differ between clusters, or that only
// have a meaning where they were set.
var excluded = map[string]bool{
	"follower.replication.throttled.replicas": true,
	"leader.replication.throttled.replicas":   true,
	"message.timestamp.difference.max.ms":     true,
	"message.timestamp.type":                  true,
	"unclean.leader.election.enable":          true,
	"min.insync.replicas":                     true,
}

// Synced reports whether a topic config travels to the target. Keys that only
// the bundled broker knows stay behind, since another Kafka would refuse the
// topic for them.
func Synced(key string, alsoExcluded []string) bool {
	if excluded[key] || key == "durability" || key == "validate.records" || strings.HasPrefix(key, "schema.") {
		return false
	}
	return !slices.Contains(alsoExcluded, key)
}
