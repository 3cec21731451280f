package api

import "github.com/millrace-io/millrace/broker/internal/metadata"

// settings are the broker configs that every request asks for, resolved once
// per image.
type settings struct {
	image         *metadata.Image
	fetchMaxBytes int
	autoCreate    bool
}

func (b *Broker) settingsOf(image *metadata.Image) *settings {
	if s := b.settings.Load(); s != nil && s.image == image {
		return s
	}
	layers := image.BrokerLayers(b.NodeID, b.Static)
	s := &settings{
		image:         image,
		fetchMaxBytes: layers.ServerConfig().FetchMaxBytes,
		autoCreate:    layers.BrokerValue("auto.create.topics.enable").Bool,
	}
	b.settings.Store(s)
	return s
}
