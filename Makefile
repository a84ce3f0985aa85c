# Fanfare: `make` alone lists what there is.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GOLANGCI_LINT := 2.15.0
GOVULNCHECK := v1.9.0
# The folder may belong to another user than the one that builds, as in CI;
# so git is told that it is safe, and go asks it nothing.
VERSION := $(shell git -c safe.directory=$(CURDIR) describe --tags --always --dirty 2>/dev/null || echo dev)

# Arguments of the program: make demo ARGS=--exit
ARGS ?=
# The packages of make test, and which tests of them: make test PKG=./auth RUN=TestToken
PKG ?= ./...
RUN ?=
# The time of one fuzz target: make fuzz FUZZTIME=5m
FUZZTIME ?= 60s

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: build ## a push from sign-up to device, step by step (ARGS=--exit ends after it)
	@bin/fanfare demo $(ARGS)

.PHONY: run
run: build ## run the server on its default ports, data under ./data
	@bin/fanfare serve $(ARGS)

.PHONY: cluster
cluster: build cluster-tools ## three nodes, HAProxy, three NATS servers, PostgreSQL, Redis, here (ARGS=-fresh)
	@scripts/need.sh postgres redis-server haproxy
	@bin/ctl $(ARGS) up

.PHONY: ctl
ctl: ## what to do to a part of the running cluster (ARGS="kill nats-2"; status, stop, start, restart, pause, resume)
	@bin/ctl $(if $(ARGS),$(ARGS),status)

.PHONY: cluster-tools
cluster-tools: # nats-server of the version in go.mod, and ctl
	@CGO_ENABLED=0 go build -buildvcs=false -o bin/nats-server github.com/nats-io/nats-server/v2
	@CGO_ENABLED=0 go build -buildvcs=false -o bin/ctl ./internal/cluster/ctl

.PHONY: build
build: ## bin/fanfare, one static binary
	@CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags "-X github.com/fanfare-mq/fanfare/cmd/fanfare/cli.version=$(VERSION)" -o bin/fanfare ./cmd/fanfare

.PHONY: test
test: ## every test, with the servers it needs (PKG=./auth/... RUN=TestToken ARGS=-count=1)
	@scripts/need.sh gcc git curl postgres redis-server mosquitto_sub
	@CGO_ENABLED=0 go build -buildvcs=false -o bin/testrun ./internal/testrun
	@exec bin/testrun $(if $(RUN),-run '$(RUN)') $(ARGS) $(PKG)

.PHONY: conformance
conformance: build ## the protocol's clauses against the program, over TCP, TLS, WS and WSS (RUN=malformed)
	@go test -c -o bin/conformance ./internal/conformance
	@FANFARE_CONFORMANCE_BINARY=$(CURDIR)/bin/fanfare bin/conformance -transports all $(if $(RUN),-test.run '$(RUN)')

.PHONY: test-clients
test-clients: ## other people's MQTT clients against the server: npm, pip, Maven, Debian, Go (RUN=TestClients/mqttjs)
	@scripts/need.sh gcc node npm python3-venv mvn javac paho-c mosquitto_sub
	@scripts/clients.sh
	@go test -tags clients -count=1 -v -run '$(if $(RUN),$(RUN),TestClients)' ./internal/conformance

.PHONY: test-api
test-api: build ## schemathesis from PyPI against openapi.yaml: as an owner, with a key, as the operator
	@scripts/need.sh curl python3-venv
	@scripts/test-api.sh $(ARGS)

.PHONY: chaos
chaos: ## 2,000 durable clients while nodes and NATS servers are killed -9 (ARGS="-seed 7")
	@scripts/need.sh postgres redis-server
	@go test -count=1 -v -timeout 30m -run 'TestChaos$$' ./internal/chaos -subscribers 2000 -publishers 200 -qos1 50000 -qos2 5000 \
		-duration 2m -node-kills 8 -nats-kills 3 -down 5s -patience 5m $(ARGS)

.PHONY: torture
torture: ## ten million spoilt packets under a memory cap
	@go test -count=1 -v -timeout 60m -run TestTorture ./internal/torture -packets 10000000

# How many worlds make sim plays, or which one it shows; how long mutants may live.
SEEDS ?= 10000
SEED ?=

.PHONY: sim
sim: ## a cluster in one thread, from one seed after the other (SEEDS=10000; SEED=7 shows what happens)
	@CGO_ENABLED=0 go build -buildvcs=false -o bin/simulate ./internal/simulate
	@exec bin/simulate $(if $(SEED),-seed $(SEED),-seeds $(SEEDS)) $(ARGS)

.PHONY: sim-mutants
sim-mutants: ## break each rule on purpose, and see that the simulation or a test finds it (ARGS="-run QoS")
	@go run ./internal/mutate -pkg '^(broker/.*)?$$' $(ARGS)

# How many operations a war has, and how many cases the access tester.
OPS ?= 1000000
CASES ?= 100000

.PHONY: war
war: ## two organizations do each other every harm they can, on one server (OPS=1000000 SEED=1)
	@go test -count=1 -v -timeout 180m -run 'TestWar$$' ./internal/war -ops $(OPS) -seed $(or $(SEED),1) $(ARGS)

.PHONY: war-mutants
war-mutants: ## holes in the wall between organizations, each to be found within 10,000 operations (ARGS="-run slash")
	@go run ./internal/mutate -pkg '^internal/war$$' $(ARGS)

.PHONY: acl-agree
acl-agree: ## the access tester and the edge, asked the same at random (CASES=100000 SEED=1)
	@go test -count=1 -v -timeout 60m -run 'TestAgreement$$' ./internal/war -cases $(CASES) -seed $(or $(SEED),1) $(ARGS)

.PHONY: lint
lint: ## formatting, vet, the linters, fresh generated code
	@scripts/need.sh git haproxy
	@scripts/lint-tool.sh $(GOLANGCI_LINT)
	@scripts/deploy-check.sh
	@go vet ./...
	@go vet -tags clients ./internal/conformance
	@bin/golangci-lint run ./...
	@scripts/generate-check.sh

.PHONY: check
check: lint test test-clients test-api ## what CI runs: lint, every test, other people's clients, and the API's description

.PHONY: bench
bench: build ## messages per second and CPU per delivery, beside mosquitto
	@scripts/need.sh mosquitto
	@bin/fanfare bench $(ARGS)

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME each (default 60s)
	@grep -rl --include='*_test.go' '^func Fuzz' . | while read -r file; do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$file"); do \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "./$$(dirname "$$file")"; \
		done; \
	done

.PHONY: generate
generate: ## everything that is made from something else
	@go generate ./...

.PHONY: fmt
fmt: ## format the code as lint wants it
	@scripts/lint-tool.sh $(GOLANGCI_LINT)
	@bin/golangci-lint fmt ./...

.PHONY: vuln
vuln: ## known vulnerabilities in what is imported (asks vuln.go.dev)
	@go run golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK) ./...

.PHONY: clean
clean: ## remove what was built
	@rm -rf bin dist coverage.out
