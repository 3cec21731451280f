// Package schematest gives tests a schema registry: the real one, in the
// process, over a Kafka of the test's choice.
//
//	registry := schematest.New(t)
//	registry.Register("orders-value", `{"type": "record", ...}`)
//	orders, err := schema.Avro[Order](registry.Client())
//
// Nothing is mocked, so what a test sees (texts, codes, verdicts) is what
// production sees.
package schematest
