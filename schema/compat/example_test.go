package compat_test

import (
	"fmt"

	"github.com/millrace-io/millrace/schema/compat"
)

func ExampleCheck() {
	old, err := compat.ParseAvro(`{"type": "record", "name": "Order", "fields": [{"name": "id", "type": "long"}]}`)
	if err != nil {
		fmt.Println(err)
		return
	}
	next, err := compat.ParseAvro(`{"type": "record", "name": "Order", "fields": [
		{"name": "id", "type": "long"}, {"name": "note", "type": "string"}]}`)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, difference := range compat.Check(compat.Backward, next, old) {
		fmt.Println(difference.Kind, difference.Path)
		fmt.Println(difference.Remedy)
	}
	// Output:
	// READER_FIELD_MISSING_DEFAULT_VALUE /fields/1
	// give field "note" a default, or write it as a union with null first and "default": null
}
