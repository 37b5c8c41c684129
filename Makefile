# Every way to run Rookery from the sources. `make` alone prints this list.

.DEFAULT_GOAL := help
.PHONY: help run test check cluster bench

help: ## Print what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Run one node on SQLite and an in-process bus: needs nothing else
	cargo run

test: ## Run every test; as root, install what they need from Debian and npm
	@.ci/test.sh

check: ## Format, lints, docs, dependencies, house rules
	@.ci/check.sh

cluster: ## Run 3 nodes, Redis, Postgres and a round-robin proxy, without containers; ctrl-c ends it
	@deploy/local/cluster.sh

bench: ## Build for release and measure against the Node reference (loadtest/)
	cargo build --release --workspace
	@deploy/local/install.sh && deploy/local/npm.sh loadtest/peers/node
	node loadtest/bench.mjs
