//go:build !linux

package node

const holderKnown = false

func pid() string { return "" }
