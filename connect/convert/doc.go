// Package convert turns the keys and values of records into bytes and back.
//
// A converter is chosen by name in key.converter and value.converter, by the
// short name or by the Java class it stands in for. Null is null in every
// one of them, both ways: a tombstone stays a tombstone, and an empty string
// is not null.
//
//	string  text as UTF-8; other bytes pass unchanged
//	bytes   bytes as they are
//	json    JSON without schema; whole numbers keep every digit
//	avro    registered Avro, through the registry of the cluster profile
//	int16 int32 int64 float32 float64 bool    Kafka's serializers
package convert
