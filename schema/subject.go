package schema

// SubjectStrategy names the subject that a record's schema is registered
// under. The record is the full name of the Avro record, empty for other
// types; key says that the schema is of the record's key.
type SubjectStrategy func(topic, record string, key bool) string

// TopicName is the default strategy: one schema per topic, as "orders-value"
// and "orders-key".
func TopicName(topic, _ string, key bool) string {
	if key {
		return topic + "-key"
	}
	return topic + "-value"
}

// RecordName gives every record type one subject, whatever the topic.
func RecordName(_, record string, _ bool) string { return record }

// TopicRecordName lets a topic hold several record types, each evolving for
// itself: "orders-com.example.Created".
func TopicRecordName(topic, record string, _ bool) string { return topic + "-" + record }
