//go:build !linux

package bench

import "time"

func sharpen() {}

func rest(d time.Duration) { <-time.After(d) }
