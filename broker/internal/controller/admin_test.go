package controller

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/millrace-io/millrace/broker/internal/metadata"
)

// quotas [validate-only], an entity a line: TYPE[=NAME]... -- KEY=VALUE|-KEY...
// A type without "=" is its default. It answers for each and shows all quotas.
func (s *script) alterQuotas(t *testing.T, d *datadriven.TestData) string {
	var wishes []AlterQuota
	for _, fields := range lines(d) {
		var w AlterQuota
		ops := false
		for _, field := range fields {
			name, value, given := strings.Cut(field, "=")
			switch {
			case field == "--":
				ops = true
			case !ops && given:
				w.Entity = append(w.Entity, EntityPart{name, &value})
			case !ops:
				w.Entity = append(w.Entity, EntityPart{Type: name})
			case strings.HasPrefix(name, "-"):
				w.Ops = append(w.Ops, QuotaOp{Key: name[1:], Remove: true})
			default:
				v, err := strconv.ParseFloat(value, 64)
				if err != nil {
					t.Fatal(err)
				}
				w.Ops = append(w.Ops, QuotaOp{Key: name, Value: v})
			}
		}
		wishes = append(wishes, w)
	}
	records, results := s.state.AlterClientQuotas(wishes, d.HasArg("validate-only"))
	var b strings.Builder
	for _, err := range results {
		b.WriteString(outcome(err, "ok"))
	}
	b.WriteString(s.commit(t, records))
	for e, set := range s.state.Image.Quotas() {
		fmt.Fprintf(&b, "%s %v\n", entityText(e), set)
	}
	return b.String()
}

func entityText(e metadata.QuotaEntity) string {
	var parts []string
	for _, p := range []struct {
		kind string
		name metadata.EntityName
	}{{UserEntity, e.User}, {ClientIDEntity, e.ClientID}, {IPEntity, e.IP}} {
		switch p.name.Kind {
		case metadata.Named:
			parts = append(parts, p.kind+"="+p.name.Name)
		case metadata.Defaults:
			parts = append(parts, p.kind)
		case metadata.Absent:
		}
	}
	return strings.Join(parts, " ")
}

// features [validate-only], a feature a line: NAME LEVEL [upgrade|safe|unsafe|9].
// It shows the levels that are finalized.
func (s *script) updateFeatures(t *testing.T, d *datadriven.TestData) string {
	types := map[string]UpgradeType{"upgrade": Upgrade, "safe": SafeDowngrade, "unsafe": UnsafeDowngrade, "9": 9}
	var updates []FeatureUpdate
	for _, fields := range lines(d) {
		u := FeatureUpdate{Name: fields[0], Level: int16(number(t, fields[1])), Type: Upgrade}
		if len(fields) > 2 {
			u.Type = types[fields[2]]
		}
		updates = append(updates, u)
	}
	records, err := s.state.UpdateFeatures(updates, d.HasArg("validate-only"))
	return outcome(err, "ok") + s.commit(t, records) + fmt.Sprintln(s.state.Image.Features())
}
