package api

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/controller"
	"github.com/millrace-io/millrace/broker/internal/metadata"
)

// DescribeClientQuotas (key 48, v0-1; KIP-546): quotas of users, client ids
// and addresses. A filter names types of entities: exactly one name, the
// default, or any; with Strict the entity must have no other type.
//
// AlterClientQuotas (key 49, v0-1) sets and removes them. Quotas of addresses
// go by IP address: names are not resolved, as Kafka does once and never again.
// Who is limited how is in package quota.

func (b *Broker) describeClientQuotas(_ call, req *kmsg.DescribeClientQuotasRequest) *kmsg.DescribeClientQuotasResponse {
	resp := kmsg.NewPtrDescribeClientQuotasResponse()
	filter, err := newQuotaFilter(req)
	if err != nil {
		resp.ErrorCode, resp.ErrorMessage = refusal(err)
		resp.Entries = nil
		return resp
	}
	resp.Entries = []kmsg.DescribeClientQuotasResponseEntry{}
	for entity, set := range b.image().Quotas() {
		if filter.matches(entity) {
			resp.Entries = append(resp.Entries, describedQuota(entity, set))
		}
	}
	return resp
}

// quotaFilter says which entities are asked for.
type quotaFilter struct {
	components []kmsg.DescribeClientQuotasRequestComponent
	strict     bool
}

func newQuotaFilter(req *kmsg.DescribeClientQuotasRequest) (quotaFilter, *controller.Error) {
	refuse := func(format string, args ...any) (quotaFilter, *controller.Error) {
		return quotaFilter{}, &controller.Error{Code: kerr.InvalidRequest, Message: fmt.Sprintf(format, args...)}
	}
	asked := map[string]bool{}
	for _, c := range req.Components {
		if _, err := controller.PartOf(&metadata.QuotaEntity{}, c.EntityType); err != nil {
			return quotaFilter{}, err
		}
		exact := c.MatchType == kmsg.QuotasMatchTypeExact
		switch {
		case c.MatchType < kmsg.QuotasMatchTypeExact || c.MatchType > kmsg.QuotasMatchTypeAny:
			return refuse("there is no match type %d; exactly is 0, the default 1, any 2", c.MatchType)
		case exact != (c.Match != nil):
			return refuse("a match of type %d for %s: a name belongs to an exact match (0), and only there", c.MatchType, c.EntityType)
		case asked[c.EntityType]:
			return refuse("the filter names %s twice", c.EntityType)
		}
		asked[c.EntityType] = true
	}
	if asked[controller.IPEntity] && len(asked) > 1 {
		return refuse("an ip stands for itself, without user and client-id")
	}
	return quotaFilter{req.Components, req.Strict}, nil
}

func (f quotaFilter) matches(e metadata.QuotaEntity) bool {
	types := 0
	for _, part := range []metadata.EntityName{e.User, e.ClientID, e.IP} {
		if part.Kind != metadata.Absent {
			types++
		}
	}
	if f.strict && types != len(f.components) {
		return false
	}
	for _, c := range f.components {
		name, _ := controller.PartOf(&e, c.EntityType) // The type was checked.
		switch c.MatchType {
		case kmsg.QuotasMatchTypeExact:
			if *name != (metadata.EntityName{Kind: metadata.Named, Name: *c.Match}) {
				return false
			}
		case kmsg.QuotasMatchTypeDefault:
			if name.Kind != metadata.Defaults {
				return false
			}
		default:
			if name.Kind == metadata.Absent {
				return false
			}
		}
	}
	return true
}

func describedQuota(e metadata.QuotaEntity, set map[string]float64) kmsg.DescribeClientQuotasResponseEntry {
	entry := kmsg.NewDescribeClientQuotasResponseEntry()
	for _, kind := range []string{controller.UserEntity, controller.ClientIDEntity, controller.IPEntity} {
		name, _ := controller.PartOf(&e, kind)
		if name.Kind == metadata.Absent {
			continue
		}
		part := kmsg.NewDescribeClientQuotasResponseEntryEntity()
		part.Type, part.Name = kind, optional(name.Name)
		entry.Entity = append(entry.Entity, part)
	}
	for _, key := range slices.Sorted(maps.Keys(set)) {
		value := kmsg.NewDescribeClientQuotasResponseEntryValue()
		value.Key, value.Value = key, set[key]
		entry.Values = append(entry.Values, value)
	}
	return entry
}

func (b *Broker) alterClientQuotas(c call, req *kmsg.AlterClientQuotasRequest) *kmsg.AlterClientQuotasResponse {
	resp := kmsg.NewPtrAlterClientQuotasResponse()
	wishes := make([]controller.AlterQuota, 0, len(req.Entries))
	for _, e := range req.Entries {
		wishes = append(wishes, alterQuota(e))
	}
	ctx, cancel := context.WithTimeout(c.ctx, alterTimeout)
	defer cancel()
	results, err := b.Controller.AlterClientQuotas(ctx, wishes, req.ValidateOnly)
	for i, e := range req.Entries {
		entry := kmsg.NewAlterClientQuotasResponseEntry()
		for _, part := range e.Entity {
			p := kmsg.NewAlterClientQuotasResponseEntryEntity()
			p.Type, p.Name = part.Type, part.Name
			entry.Entity = append(entry.Entity, p)
		}
		if err != nil {
			entry.ErrorCode, entry.ErrorMessage = adminError(err)
		} else {
			entry.ErrorCode, entry.ErrorMessage = refusal(results[i])
		}
		resp.Entries = append(resp.Entries, entry)
	}
	return resp
}

func alterQuota(e kmsg.AlterClientQuotasRequestEntry) controller.AlterQuota {
	var wish controller.AlterQuota
	for _, part := range e.Entity {
		wish.Entity = append(wish.Entity, controller.EntityPart{Type: part.Type, Name: part.Name})
	}
	for _, op := range e.Ops {
		wish.Ops = append(wish.Ops, controller.QuotaOp{Key: op.Key, Value: op.Value, Remove: op.Remove})
	}
	return wish
}
