package registry_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/millrace-io/millrace/schema"
	"github.com/millrace-io/millrace/schema/schematest"
)

// BenchmarkGetByID is to be read beside the bare handler that writes the same
// bytes.
func BenchmarkGetByID(b *testing.B) {
	reg := schematest.New(b)
	reg.Register("a", `{"type":"record","name":"R","fields":[{"name":"id","type":"long"},{"name":"note","type":["null","string"],"default":null}]}`)
	url := reg.URL() + "/schemas/ids/1"
	body := fetch(b, url)
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
		if _, err := w.Write(body); err != nil {
			b.Error(err)
		}
	}))
	defer bare.Close()
	for name, url := range map[string]string{"registry": url, "bare": bare.URL} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				fetch(b, url)
			}
		})
	}
}

func fetch(b *testing.B, url string) []byte {
	resp, err := http.Get(url)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	return body
}

// BenchmarkRegister is a new schema each time, by many clients.
func BenchmarkRegister(b *testing.B) {
	client := schematest.New(b).Client()
	var n atomic.Int64
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			text := fmt.Sprintf(`{"type":"fixed","name":"F%d","size":8}`, i)
			if _, err := client.Register(b.Context(), fmt.Sprintf("s%d", i), schema.Definition{Text: text}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
