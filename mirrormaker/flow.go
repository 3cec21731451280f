package mirrormaker

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/internal/conf"
	"github.com/millrace-io/millrace/mirrormaker/internal/progress"
	"github.com/millrace-io/millrace/mirrormaker/internal/topics"
)

// Flow copies topics from one cluster to another.
type Flow struct {
	Name string `conf:"name,required" doc:"Part of the state's keys: another name is a new flow that copies from the start."`
	From string `conf:"from,required" doc:"Profile of the cluster to copy from; local is the broker of this process."`
	To   string `conf:"to,required" doc:"Profile of the cluster to copy to."`

	Mode           string        `conf:"mode" enum:"auto|raw|record|link" default:"auto" doc:"How records travel; auto is record until raw exists."`
	Delivery       string        `conf:"delivery" enum:"exactly_once|idempotent" default:"idempotent" doc:"What a kill can do to the copy: with either, nothing is lost or doubled."`
	CommitInterval time.Duration `conf:"commit_interval" default:"100ms" min:"1ms" doc:"How long a position may wait behind the data."`

	Topics    Topics            `conf:"topics,required" doc:"Which topics; a list is short for include."`
	Naming    string            `conf:"naming" default:"prefix" doc:"prefix, identity, or a template of {source} and {topic}."`
	Separator string            `conf:"separator" default:"." doc:"Between source and topic under naming: prefix."`
	Rename    map[string]string `conf:"rename" doc:"Single topics and their names at the target, before naming."`

	Start   string        `conf:"start" enum:"earliest|latest" default:"earliest" doc:"Where topics begin that exist when the flow first runs; later ones begin at the earliest."`
	Refresh time.Duration `conf:"refresh" default:"5s" min:"100ms" doc:"How often new topics and partitions are looked for."`

	Create Create `conf:"create" doc:"How target topics are created."`
	Sync   Sync   `conf:"sync" doc:"What is kept equal beside the data."`

	OnGap        string `conf:"on_gap" enum:"stop|continue" default:"stop" doc:"When retention at the source passed the mirror."`
	OnDivergence string `conf:"on_divergence" enum:"stop|continue" default:"stop" doc:"When the source lost records that were copied."`
	OnRecreated  string `conf:"on_recreated" enum:"stop|follow" default:"stop" doc:"When the source topic was deleted and created again."`
}

// Topics selects topics by anchored RE2 patterns.
type Topics struct {
	Include  []string `conf:"include,required" doc:"Patterns of topics to copy."`
	Exclude  []string `conf:"exclude" doc:"Patterns of topics to leave out."`
	Internal bool     `conf:"internal" doc:"Copy internal topics too where a pattern matches."`
}

// DecodeConf reads a list as the patterns to include, or the full form.
func (t *Topics) DecodeConf(n *conf.Node, s conf.Secrets) error {
	if n.Kind == conf.Sequence {
		return n.Decode(&t.Include, s)
	}
	type plain Topics
	return n.Decode((*plain)(t), s)
}

// Create says how target topics are created.
type Create struct {
	ReplicationFactor int               `conf:"replication_factor" default:"-1" doc:"Of target topics; -1 is the target's default."`
	Config            map[string]string `conf:"config" doc:"Kafka topic configs, over the synced ones."`
}

// Sync says what is kept equal beside the data.
type Sync struct {
	Configs       bool     `conf:"configs" default:"true" doc:"Topic configs that the source sets, when the target topic is created."`
	ConfigExclude []string `conf:"config_exclude" doc:"Configs that stay behind, beside those that must differ."`
	Partitions    string   `conf:"partitions" enum:"grow|check|off" default:"grow" doc:"What happens when the source has more partitions than the target."`
}

// File is a file of flows: what mirror run reads.
type File struct {
	Profiles map[string]cluster.Profile `conf:"profiles" doc:"The clusters, by name."`
	Mirrors  []Flow                     `conf:"mirrors,required" doc:"The flows."`
}

// Load reads a file of flows and reports every fault of it with its place.
func Load(name string, data []byte) (File, error) {
	var f File
	return f, conf.Load(name, data, &f)
}

// Validate checks that each flow names known clusters, once.
func (f *File) Validate() error {
	known := append(slices.Sorted(maps.Keys(f.Profiles)), Local)
	return CheckFlows(f.Mirrors, known)
}

// Local is the profile name of the broker in the same process.
const Local = "local"

// CheckFlows reports what is wrong between flows: names used twice, and
// profiles that are not among the known ones.
func CheckFlows(flows []Flow, profiles []string) error {
	var errs []error
	seen := map[string]bool{}
	for i, f := range flows {
		key := func(k string) string { return fmt.Sprintf("mirrors[%d].%s", i, k) }
		if seen[f.Name] {
			errs = append(errs, conf.At(key("name"), fmt.Errorf("%q is the name of another flow", f.Name)))
		}
		seen[f.Name] = true
		for k, profile := range map[string]string{"from": f.From, "to": f.To} {
			if !slices.Contains(profiles, profile) {
				errs = append(errs, conf.At(key(k), unknownProfile(profile, profiles)))
			}
		}
	}
	return errors.Join(errs...)
}

func unknownProfile(name string, known []string) error {
	if near, ok := conf.Nearest(name, known); ok {
		return fmt.Errorf("no profile %q (did you mean %s?)", name, near)
	}
	return fmt.Errorf("no profile %q: known are %v", name, known)
}

var flowName = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)

// Validate reports everything that is wrong with a flow by itself.
func (f *Flow) Validate() error {
	var errs []error
	fault := func(key string, format string, args ...any) {
		errs = append(errs, conf.At(key, fmt.Errorf(format, args...)))
	}
	if !flowName.MatchString(f.Name) {
		fault("name", "%q: need 1 to 64 of a-z, 0-9 and -", f.Name)
	}
	if f.From == f.To {
		fault("to", "from and to are both %q: a flow copies between two clusters", f.To)
	}
	switch f.Mode {
	case "raw", "link":
		fault("mode", "%s is not available yet: use record or auto", f.Mode)
	}
	if f.Delivery == "exactly_once" {
		fault("delivery", "exactly_once needs transactions, which the mirror cannot use yet: use idempotent")
	}
	if _, err := f.selector(); err != nil {
		fault("topics", "%w", err)
	}
	if err := topics.CheckTemplate(f.namer().Template); err != nil {
		fault("naming", "%w", err)
	}
	if rf := f.Create.ReplicationFactor; rf == 0 || rf < -1 || rf > 1<<15-1 {
		fault("create", "replication_factor %d: need 1 or more, or -1 for the target's default", rf)
	}
	return errors.Join(errs...)
}

func (f *Flow) selector() (*topics.Selector, error) {
	return topics.NewSelector(f.Topics.Include, f.Topics.Exclude, f.Topics.Internal)
}

func (f *Flow) namer() topics.Namer {
	n := topics.Namer{Source: f.From, Target: f.To, Rename: f.Rename, Separator: f.Separator, Template: f.Naming}
	switch f.Naming {
	case "prefix", "":
		n.Template = topics.Prefix(f.Separator)
	case "identity":
		n.Template = topics.Identity
	}
	return n
}

func (f *Flow) policy() progress.Policy {
	return progress.Policy{
		ContinueOnGap:        f.OnGap == "continue",
		ContinueOnDivergence: f.OnDivergence == "continue",
		FollowRecreated:      f.OnRecreated == "follow",
	}
}
