#!/usr/bin/env bash
# Prints how long millrace dev takes to its first acked produce, and what it
# weighs when idle: test/startup.sh BINARY
set -euo pipefail
binary=$(realpath "${1:?usage: test/startup.sh BINARY}")
cd "$(dirname "$0")/.."
exec "${GO:-go}" run ./test/startup "$binary"
