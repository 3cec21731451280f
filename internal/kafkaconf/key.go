package kafkaconf

// Key is one row of the table.
type Key struct {
	Name string
	Type Type
	// Default is the value where nothing is set, as text. It means nothing
	// where NoDefault is set.
	Default string
	// NoDefault says that the value is null where nothing is set.
	NoDefault bool
	// Valid restricts the values beyond what the type says; nil allows all.
	Valid Check
	// Update says whether and where a broker config may change while the
	// broker runs. Topic and group configs always may.
	Update Update
	// Synonyms names the broker configs that a topic or group config falls
	// back to, and that DescribeConfigs lists, first one first.
	Synonyms []Synonym
	// NoEffect marks a config that is accepted and stored but has nothing to
	// act on here. Doc says why.
	NoEffect bool
	// Hidden keeps a config out of listings unless it is set: it is for tests.
	Hidden bool
	// Doc is one or two sentences, with the unit.
	Doc string
}

// Sensitive says that the value must not be shown.
func (k *Key) Sensitive() bool { return k.Type == Password }

// Synonym is a broker config that provides the value of a topic config.
type Synonym struct {
	Name string
	// Unit converts the broker's unit to the topic's: 1 for the same unit,
	// 3,600,000 from hours to milliseconds.
	Unit int64
}

// Units of synonyms, in milliseconds.
const (
	minutes = 60 * 1000
	hours   = 60 * minutes
)

// Type is the type of a config's value. The numbers are those of the wire
// (DescribeConfigs v3, KIP-569).
type Type int8

// The types of values.
const (
	Bool   Type = 1
	String Type = 2
	Int    Type = 3 // 32 bits
	Short  Type = 4 // 16 bits
	Long   Type = 5 // 64 bits
	Double Type = 6
	List   Type = 7 // separated by commas
	Class  Type = 8 // of Java
	// Password is text that is never shown.
	Password Type = 9
)

// String gives Kafka's name of the type.
func (t Type) String() string {
	switch t {
	case Bool:
		return "BOOLEAN"
	case String:
		return "STRING"
	case Int:
		return "INT"
	case Short:
		return "SHORT"
	case Long:
		return "LONG"
	case Double:
		return "DOUBLE"
	case List:
		return "LIST"
	case Class:
		return "CLASS"
	case Password:
		return "PASSWORD"
	}
	return "UNKNOWN"
}

// Scope says what a config belongs to.
type Scope uint8

// The scopes. A name may occur in several: compression.type is a topic's and
// a broker's.
const (
	TopicScope Scope = iota
	BrokerScope
	GroupScope
)

func (s Scope) String() string {
	switch s {
	case TopicScope:
		return "topic"
	case BrokerScope:
		return "broker"
	case GroupScope:
		return "group"
	}
	return "unknown"
}

// Update says how a broker config may change while the broker runs (KIP-226).
type Update uint8

// The update modes.
const (
	ReadOnly    Update = iota // at a restart only
	PerBroker                 // for one broker
	ClusterWide               // for one broker, or for all as a default
)

func (u Update) String() string {
	switch u {
	case ReadOnly:
		return "read-only"
	case PerBroker:
		return "per-broker"
	case ClusterWide:
		return "cluster-wide"
	}
	return "unknown"
}
