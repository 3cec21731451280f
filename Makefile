# The two commands: `make demo` shows the main job, `make test` passes the tests.
# Both need only Go and make. `make integration` installs and starts real servers.
SHELL := /bin/bash
GO ?= go
export CGO_ENABLED ?= 0
LDFLAGS := -s -w
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.6.2
INPUT ?= examples/weblog/access.log.gz
BOOTSTRAP ?=
SEEDS ?= 2000
FUZZTIME ?= 10s

.PHONY: all build demo test integration race lint bench bench-peers fuzz sim mutants clean

all: build

build: ## the command, to bin/millrace
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/millrace ./cmd/millrace

demo: ## the main job on real input, on an embedded broker (or on BOOTSTRAP)
	@$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/weblog-demo ./examples/weblog/demo
	@bin/weblog-demo -input '$(INPUT)' -bootstrap '$(BOOTSTRAP)'

test: ## everything that needs no server and no root
	$(GO) vet ./...
	$(GO) test -timeout 10m ./...

race: ## the same under the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race -timeout 20m ./...

integration: build ## real servers and clients: Apache Kafka, kcat, kafkajs, suites of others; kill -9; the race detector
	test/integration.sh

lint:
	$(GO) run $(GOLANGCI) run ./...

bench: build ## benchmarks, start-up time and idle memory
	$(GO) test -run '^$$' -bench . -benchmem -benchtime 200ms ./internal/record ./broker/internal/{commitlog,wire,api,group,wait}
	test/startup.sh bin/millrace

bench-peers: build ## the workloads that have goals, beside Apache Kafka; about half an hour
	BENCH='--runs 5 --bytes 500000000 --time 2s --warm 60s' KAFKA_HEAP_OPTS='-Xms1G -Xmx1G -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35' \
		$(GO) test -tags integration -run TestSuiteBesideApacheKafka -count 1 -timeout 2h -v ./test/integration

fuzz: ## every fuzz target for FUZZTIME each
	test/fuzz.sh $(FUZZTIME)

sim: ## the seeded simulation of one node with power loss
	$(GO) test ./broker/internal/sim -run TestSeeds -seeds $(SEEDS) -timeout 60m -v

mutants: ## each planted bug must be caught by the simulation
	$(GO) test -tags mutants ./broker/internal/sim -run TestMutants -timeout 30m -v

clean:
	rm -rf bin
