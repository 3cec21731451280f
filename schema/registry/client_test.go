package registry_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/riferrei/srclient"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/millrace-io/millrace/schema"
	"github.com/millrace-io/millrace/schema/schematest"
)

const (
	orderV1 = `{"type":"record","name":"Order","fields":[{"name":"id","type":"long"}]}`
	orderV2 = `{"type":"record","name":"Order","fields":[{"name":"id","type":"long"},{"name":"n","type":"int","default":0}]}`
	orderV3 = `{"type":"record","name":"Order","fields":[{"name":"id","type":"string"}]}`
)

// TestFranzGoClient goes through franz-go's client, as Redpanda Console uses
// it.
func TestFranzGoClient(t *testing.T) {
	client, err := sr.NewClient(sr.URLs(schematest.New(t).URL()))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	first, err := client.CreateSchema(ctx, "orders/value", sr.Schema{Schema: orderV1})
	if err != nil || first.ID != 1 || first.Version != 1 || first.Type != sr.TypeAvro {
		t.Fatalf("created %+v, %v", first, err)
	}
	if second, err := client.CreateSchema(ctx, "orders/value", sr.Schema{Schema: orderV2}); err != nil || second.ID != 2 || second.Version != 2 {
		t.Fatalf("created %+v, %v", second, err)
	}
	_, err = client.CreateSchema(ctx, "orders/value", sr.Schema{Schema: orderV3})
	if code(err) != http.StatusConflict {
		t.Errorf("an incompatible schema gives %v", err)
	}
	verdict, err := client.CheckCompatibility(sr.WithParams(ctx, sr.Verbose), "orders/value", -1, sr.Schema{Schema: orderV3})
	if err != nil || verdict.Is || len(verdict.Messages) == 0 {
		t.Errorf("checked %+v, %v", verdict, err)
	}
	if found, err := client.LookupSchema(ctx, "orders/value", sr.Schema{Schema: orderV1}); err != nil || found.Version != 1 || found.ID != 1 {
		t.Errorf("looked up %+v, %v", found, err)
	}
	if subjects, err := client.Subjects(ctx); err != nil || !slices.Equal(subjects, []string{"orders/value"}) {
		t.Errorf("subjects %v, %v", subjects, err)
	}
	if all, err := client.AllSchemas(ctx); err != nil || len(all) != 2 {
		t.Errorf("all schemas %v, %v", all, err)
	}
	if usages, err := client.SchemaUsagesByID(ctx, 2); err != nil || len(usages) != 1 || usages[0].Version != 2 {
		t.Errorf("usages %v, %v", usages, err)
	}
	if set := client.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatNone}, "orders/value"); set[0].Err != nil || set[0].Level != sr.CompatNone {
		t.Errorf("set compatibility %+v", set)
	}
	if got := client.Compatibility(ctx, "orders/value", sr.GlobalSubject); got[0].Level != sr.CompatNone || got[1].Level != sr.CompatBackward {
		t.Errorf("compatibility %+v", got)
	}
	if reset := client.ResetCompatibility(ctx, "orders/value"); reset[0].Err != nil || reset[0].Level != sr.CompatNone {
		t.Errorf("reset compatibility %+v", reset)
	}
	if mode := client.SetMode(ctx, sr.ModeReadOnly, "orders/value"); mode[0].Err != nil || mode[0].Mode != sr.ModeReadOnly {
		t.Errorf("set mode %+v", mode)
	}
	if mode := client.ResetMode(ctx, "orders/value"); mode[0].Err != nil {
		t.Errorf("reset mode %+v", mode)
	}
	byGUID, err := client.SchemaByGUID(ctx, first.GUID)
	if err != nil || byGUID.Schema.Schema != orderV1 {
		t.Errorf("by guid %+v, %v", byGUID, err)
	}
	if versions, err := client.DeleteSubject(ctx, "orders/value", sr.SoftDelete); err != nil || !slices.Equal(versions, []int{1, 2}) {
		t.Errorf("soft delete %v, %v", versions, err)
	}
	if versions, err := client.DeleteSubject(ctx, "orders/value", sr.HardDelete); err != nil || !slices.Equal(versions, []int{1, 2}) {
		t.Errorf("hard delete %v, %v", versions, err)
	}
	if _, err := client.SchemaByID(ctx, 1); code(err) != sr.ErrSchemaNotFound.Code {
		t.Errorf("after the hard delete the schema gives %v", err)
	}
}

func code(err error) int {
	var answered *sr.ResponseError
	if !errors.As(err, &answered) {
		return 0
	}
	return answered.ErrorCode
}

// TestSRClient goes through srclient as it is, its caches on.
func TestSRClient(t *testing.T) {
	client := srclient.NewSchemaRegistryClient(schematest.New(t).URL())
	created, err := client.CreateSchema("orders", orderV1, srclient.Avro)
	if err != nil || created.ID() != 1 || *created.SchemaType() != srclient.Avro {
		t.Fatalf("created %+v, %v", created, err)
	}
	if created.Codec() == nil {
		t.Error("the schema has no codec")
	}
	if latest, err := client.GetLatestSchema("orders"); err != nil || latest.Version() != 1 || latest.Schema() != orderV1 {
		t.Errorf("latest %+v, %v", latest, err)
	}
	if found, err := client.LookupSchema("orders", orderV1, srclient.Avro); err != nil || found.ID() != 1 {
		t.Errorf("looked up %+v, %v", found, err)
	}
	if ok, err := client.IsSchemaCompatible("orders", orderV3, "latest", srclient.Avro); err != nil || ok {
		t.Errorf("compatible %v, %v", ok, err)
	}
	if uses, err := client.GetSubjectVersionsById(1); err != nil || len(uses) != 1 {
		t.Errorf("uses %v, %v", uses, err)
	}
	if level, err := client.ChangeSubjectCompatibilityLevel("orders", srclient.Full); err != nil || *level != srclient.Full {
		t.Errorf("changed level %v, %v", level, err)
	}
	if level, err := client.DeleteSubjectCompatibilityLevel("orders"); err != nil || *level != srclient.Full {
		t.Errorf("deleted level %v, %v", level, err)
	}
	if level, err := client.GetGlobalCompatibilityLevel(); err != nil || *level != srclient.Backward {
		t.Errorf("global level %v, %v", level, err)
	}
	_, err = client.CreateSchema("orders", orderV3, srclient.Avro)
	var answered srclient.Error
	if !errors.As(err, &answered) || answered.Code != http.StatusConflict {
		t.Errorf("an incompatible schema gives %v", err)
	}
	if err := client.DeleteSubjectByVersion("orders", 1, true); err != nil {
		t.Error(err)
	}
	if subjects, err := client.GetSubjectsIncludingDeleted(); err != nil || len(subjects) != 0 {
		t.Errorf("subjects %v, %v", subjects, err)
	}
}

// TestConcurrentRegisters: however many register at once, a schema gets one
// id, and no id belongs to two schemas.
func TestConcurrentRegisters(t *testing.T) {
	reg := schematest.New(t)
	const clients, schemas = 8, 10
	var mu sync.Mutex
	ids := make(map[string]map[int]bool) // by schema
	var running sync.WaitGroup
	for n := range clients {
		client, err := schema.NewClient(reg.URL())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		running.Go(func() {
			for i := range schemas {
				text := fmt.Sprintf(`{"type":"fixed","name":"F%d","size":%d}`, i, i+1)
				id, err := client.Register(t.Context(), fmt.Sprintf("s%d-%d", n%2, i), schema.Definition{Text: text})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if ids[text] == nil {
					ids[text] = make(map[int]bool)
				}
				ids[text][id] = true
				mu.Unlock()
			}
		})
	}
	running.Wait()
	owner := make(map[int]string)
	for text, have := range ids {
		if len(have) != 1 {
			t.Errorf("%s has ids %v", text, have)
		}
		for id := range have {
			if other, taken := owner[id]; taken {
				t.Errorf("id %d belongs to %s and %s", id, text, other)
			}
			owner[id] = text
		}
	}
}

// TestR2: a body of 50 MB, and a schema nested 10,000 deep.
func TestR2(t *testing.T) {
	url := schematest.New(t).URL() + "/subjects/a/versions"
	for _, c := range []struct {
		name, body, want string
		status           int
	}{
		{"50 MB", `{"schema": "` + strings.Repeat("x", 50<<20) + `"}`, `"error_code":413`, http.StatusRequestEntityTooLarge},
		{"deep", `{"schema": "` + strings.Repeat(`[`, 10_000) + `"}`, `"error_code":42201,"message":"Invalid schema: line 1, column 513: nested deeper than 512 levels"`, http.StatusUnprocessableEntity},
		{"deep body", strings.Repeat(`{"a":`, 10_000), `"error_code":400`, http.StatusBadRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, reply := post(t, url, c.body)
			if status != c.status || !strings.Contains(reply, c.want) {
				t.Errorf("%d %.200s, want %d %s", status, reply, c.status, c.want)
			}
		})
	}
}
