package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/controller"
)

// UpdateFeatures (key 57, v0-2; KIP-584) finalizes levels of features: all
// that the request names, or none.
//
// Up to v1 each feature has a result; from v2 on only the whole has one. v0
// allows a downgrade by a flag, which counts as an unsafe one.

func (b *Broker) updateFeatures(c call, req *kmsg.UpdateFeaturesRequest) *kmsg.UpdateFeaturesResponse {
	resp := kmsg.NewPtrUpdateFeaturesResponse()
	updates := make([]controller.FeatureUpdate, 0, len(req.FeatureUpdates))
	for _, u := range req.FeatureUpdates {
		kind := controller.UpgradeType(u.UpgradeType)
		if c.Version == 0 {
			kind = b.upgradeType(u)
		}
		updates = append(updates, controller.FeatureUpdate{Name: u.Feature, Level: u.MaxVersionLevel, Type: kind})
	}
	ctx, cancel := timeout(c.ctx, req.TimeoutMillis)
	defer cancel()
	err := b.Controller.UpdateFeatures(ctx, updates, req.ValidateOnly)
	if err != nil {
		resp.ErrorCode, resp.ErrorMessage = decisionError(err)
		return resp
	}
	for _, u := range req.FeatureUpdates {
		r := kmsg.NewUpdateFeaturesResponseResult()
		r.Feature = u.Feature
		resp.Results = append(resp.Results, r)
	}
	return resp
}

// upgradeType is what v0 asks for: its flag allows a downgrade and does not
// forbid an upgrade.
func (b *Broker) upgradeType(u kmsg.UpdateFeaturesRequestFeatureUpdate) controller.UpgradeType {
	if u.AllowDowngrade && u.MaxVersionLevel < b.image().Feature(u.Feature) {
		return controller.UnsafeDowngrade
	}
	return controller.Upgrade
}
