//go:build !unix

package broker

import "math"

func descriptorLimit() uint64 { return math.MaxUint64 }
