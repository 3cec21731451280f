#!/usr/bin/env bash
# Installs the servers and clients that the integration tests need, where they
# are missing and this is root on Debian, and runs the tests with them.
set -euo pipefail
cd "$(dirname "$0")/.."

need() { # need COMMAND PACKAGE
  command -v "$1" >/dev/null && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    [ -n "${updated:-}" ] || { apt-get update -qq; updated=1; }
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" >/dev/null
  fi
  command -v "$1" >/dev/null || { echo "integration: $1 is missing: install the package $2" >&2; exit 1; }
}
need kcat kcat
need java openjdk-17-jre-headless
need mvn maven
need gcc gcc
need node nodejs
need npm npm

go build -o bin/weblog-demo ./examples/weblog/demo
CGO_ENABLED=1 go test -race -timeout 30m ./...
go test -tags mutants ./broker/internal/sim -run TestMutants -timeout 20m
test/fuzz.sh "${FUZZTIME:-3s}"
# The suites of others wait more than they compute, so they run side by side,
# and apart from the tests that start one Java machine after the other.
suites='^TestSuite(FranzGo|Goka|KafkaGo)$'
go test -tags integration -timeout 20m -count 1 -parallel 3 -run "$suites" ./test/integration
go test -tags integration -timeout 30m -count 1 -skip "$suites" ./test/...
