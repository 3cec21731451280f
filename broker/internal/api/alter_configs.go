package api

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/controller"
	"github.com/millrace-io/millrace/broker/internal/metadata"
)

// IncrementalAlterConfigs (key 44, v0-1; KIP-339) changes single configs: SET,
// DELETE, and APPEND and SUBTRACT for lists. AlterConfigs (key 33, v0-2), its
// elder, replaces everything that a resource has set.
//
// The requests carry no timeout; the decision is awaited for alterTimeout.

const alterTimeout = 30 * time.Second

func (b *Broker) incrementalAlterConfigs(c call, req *kmsg.IncrementalAlterConfigsRequest) *kmsg.IncrementalAlterConfigsResponse {
	resp := kmsg.NewPtrIncrementalAlterConfigsResponse()
	wishes := make([]controller.AlterConfig, 0, len(req.Resources))
	for _, r := range req.Resources {
		wish := controller.AlterConfig{Resource: resource(r.ResourceType, r.ResourceName)}
		for _, cfg := range r.Configs {
			wish.Ops = append(wish.Ops, controller.ConfigOp{Name: cfg.Name, Op: controller.Op(cfg.Op), Value: cfg.Value})
		}
		wishes = append(wishes, wish)
	}
	for _, a := range b.alter(c.ctx, wishes, true, req.ValidateOnly) {
		r := kmsg.NewIncrementalAlterConfigsResponseResource()
		r.ResourceType, r.ResourceName = kmsg.ConfigResourceType(a.resource.Type), a.resource.Name
		r.ErrorCode, r.ErrorMessage = a.code, a.message
		resp.Resources = append(resp.Resources, r)
	}
	return resp
}

func (b *Broker) alterConfigs(c call, req *kmsg.AlterConfigsRequest) *kmsg.AlterConfigsResponse {
	resp := kmsg.NewPtrAlterConfigsResponse()
	wishes := make([]controller.AlterConfig, 0, len(req.Resources))
	for _, r := range req.Resources {
		wish := controller.AlterConfig{Resource: resource(r.ResourceType, r.ResourceName)}
		for _, cfg := range r.Configs {
			wish.Ops = append(wish.Ops, controller.ConfigOp{Name: cfg.Name, Op: controller.OpSet, Value: cfg.Value})
		}
		wishes = append(wishes, wish)
	}
	for _, a := range b.alter(c.ctx, wishes, false, req.ValidateOnly) {
		r := kmsg.NewAlterConfigsResponseResource()
		r.ResourceType, r.ResourceName = kmsg.ConfigResourceType(a.resource.Type), a.resource.Name
		r.ErrorCode, r.ErrorMessage = a.code, a.message
		resp.Resources = append(resp.Resources, r)
	}
	return resp
}

func resource(kind kmsg.ConfigResourceType, name string) metadata.Resource {
	return metadata.Resource{Type: metadata.ResourceType(kind), Name: name}
}

// alteration is the outcome for one resource.
type alteration struct {
	resource metadata.Resource
	code     int16
	message  *string
}

func (b *Broker) alter(ctx context.Context, wishes []controller.AlterConfig, incremental, validateOnly bool) []alteration {
	ctx, cancel := context.WithTimeout(ctx, alterTimeout)
	defer cancel()
	var done []alteration
	results, err := b.Controller.AlterConfigs(ctx, wishes, incremental, validateOnly)
	if err != nil {
		code, message := adminError(err)
		for _, w := range wishes {
			done = append(done, alteration{w.Resource, code, message})
		}
		return done
	}
	for _, r := range results {
		code, message := refusal(r.Err)
		done = append(done, alteration{r.Resource, code, message})
	}
	return done
}
