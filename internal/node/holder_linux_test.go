package node

import (
	"os"
	"strconv"
)

const holderKnown = true

func pid() string { return strconv.Itoa(os.Getpid()) }
