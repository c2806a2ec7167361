# Keyway's tasks. `make` alone lists them.

TOOLS := $(CURDIR)/target/tools
export PATH := $(TOOLS)/bin:$(PATH)
CARGO_DENY_VERSION := 0.20.2
CARGO_FUZZ_VERSION := 0.13.1
CARGO_MACHETE_VERSION := 0.9.2
CARGO_NEXTEST_VERSION := 0.9.143
NEXTEST_PROFILE ?= default

# mold links the debug build in a third of the time; without it the ordinary linker does.
ifneq ($(shell command -v mold 2>/dev/null),)
export RUSTFLAGS ?= -C link-arg=-fuse-ld=mold
endif

.DEFAULT_GOAL := help
.PHONY: help run demo test lint check chaos seeded bench prices clients infra fmt deny doc document deps files nextest fuzz machete clean
.PHONY: abuse dashboard dashboard-check dashboard-client

help: ## List the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: dashboard ## Start Keyway: embedded, data in ./data, no services needed
	cargo run --locked --release -- serve

demo: dashboard ## Show everything with a simulated provider, then leave it running
	scripts/demo.sh

test: deps files nextest dashboard ## Run every test (starts its own PostgreSQL, RabbitMQ, Prometheus, Alertmanager and browser)
	cargo nextest run --locked --workspace --features failpoints --profile $(NEXTEST_PROFILE)
	cargo test --locked --workspace --features failpoints --doc --quiet

lint: deps machete ## Formatting, clippy without a warning, unused dependencies, shell scripts
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets --features failpoints -- -D warnings
	shellcheck scripts/*.sh scripts/infra/*.sh grafana/*.sh .ci/run

check: lint doc deny dashboard-check document test ## All that CI checks

# Node is the installed one, or comes with the Python registry's wheel (scripts/node.sh): nothing is installed by hand.
NPM := cd dashboard && ../scripts/node.sh npm
DASHBOARD_INSTALLED := target/dashboard/installed
DASHBOARD_SOURCES := $(shell find dashboard/src dashboard/public -type f) $(wildcard dashboard/*.ts dashboard/*.json dashboard/*.html)

$(DASHBOARD_INSTALLED): dashboard/package-lock.json dashboard/package.json dashboard/.npmrc dashboard/codegen/package.json
	$(NPM) ci --no-progress
	@mkdir -p $(@D) && touch $@

# Only a build that differs is compiled into the binary again.
dashboard/dist/index.html: $(DASHBOARD_INSTALLED) $(DASHBOARD_SOURCES)
	$(NPM) run --silent build

dashboard: dashboard/dist/index.html ## Build the dashboard, which the binary holds once it is compiled after that

dashboard-check: $(DASHBOARD_INSTALLED) ## The dashboard's types, lints, words, generated client and unit tests
	$(NPM) run --silent check

dashboard-client: $(DASHBOARD_INSTALLED) ## Make the dashboard's client from the API's own document, after a change of routes
	cargo build --locked
	scripts/check_document.py --write dashboard/openapi.json
	$(NPM) run --silent api

# SCENARIO=5,9 chooses by number (0: the random mix); SEED repeats a random choice; ROUNDS repeats each fault.
# SEEDS shares the random mix among so many seeds: SCENARIO=0 SECONDS=600 SEEDS=5 is ten minutes from five.
# PREVIOUS is the revision that runs beside this one in scenario 25: see scripts/previous_version.sh.
chaos: deps ## Break everything, count what is lost or doubled (SECONDS=60 SEEDS=1 SEED= SCENARIO= ROUNDS=20)
	cargo test --locked --workspace --features failpoints --test chaos -- --seconds $(or $(SECONDS),60) \
	    --rounds $(or $(ROUNDS),20) --seeds $(or $(SEEDS),1) $(if $(SEED),--seed $(SEED)) $(if $(SCENARIO),--scenario $(SCENARIO)) \
	    $(if $(PREVIOUS),--previous $(PREVIOUS))

seeded: deps ## Build Keyway with known bugs, one at a time, and want chaos to catch each
	scripts/seeded_bugs.sh

# BENCH="lane intake" chooses some; FULL=1 lets the keys grow to 100,000.
bench: deps ## Measure every figure of the design beside its limit (BENCH= FULL=)
	SIZES="$(if $(FULL),1000 10000 100000)" scripts/bench.sh $(BENCH)

# Not part of CI: it fetches the two lists from the package index, once. With --write the script writes docs/prices.md.
prices: ## Compare every price with two public lists, and docs/prices.md with the outcome
	scripts/check_prices.py

# A fresh machine installs the clients once (five minutes; pip and npm); CLIENTS="groq cohere" chooses by a part of the name.
clients: ## Run real SDKs and agents against Keyway and write docs/clients.md (KEYWAY_BIN= CLIENTS=)
	$(if $(KEYWAY_BIN),,cargo build --locked --release)
	KEYWAY_BIN="$(KEYWAY_BIN)" python3 scripts/clients/run.py $(CLIENTS)

# Not part of CI: it needs root, 1 GB and forty minutes, and makes its two system roots at the first run (six minutes, apt).
# SUITES=sid is the newest services alone, SCENARIOS="tls pooled" chooses by a part of the name, KEEP=1 keeps every log.
infra: ## Run Keyway on newer brokers and databases and break those (KEYWAY_BIN= SIMULATOR_BIN= SUITES= SCENARIOS= KEEP=)
	scripts/infra/roots.sh
	$(if $(KEYWAY_BIN),,cargo build --locked --release)
	$(if $(SIMULATOR_BIN),,cargo build --locked --package keyway-testkit --bin simulator)
	KEYWAY_BIN="$(KEYWAY_BIN)" SIMULATOR_BIN="$(SIMULATOR_BIN)" SUITES="$(SUITES)" SCENARIOS="$(SCENARIOS)" KEEP="$(KEEP)" \
	    python3 -B scripts/infra/run.py

# Not part of CI: ten minutes, and its figures are a machine's. ABUSES="half idle" chooses by a part of the name.
abuse: ## Abuse a release binary and show what its other callers feel of it (KEYWAY_BIN= ABUSES=)
	$(if $(KEYWAY_BIN),,cargo build --locked --release)
	KEYWAY_BIN="$(KEYWAY_BIN)" python3 -B scripts/abuse/run.py $(ABUSES)

# Not part of CI, which checks the same properties with random inputs in the crates' own tests: cargo-fuzz builds every
# dependency again with flags of its own, which takes longer than all of them run there.
fuzz: ## Send strangers' bytes to the code that reads them, on any toolchain (SECONDS=60 TARGET=)
	@command -v cargo-fuzz >/dev/null || \
	    cargo install --locked --debug --quiet --root $(TOOLS) cargo-fuzz@$(CARGO_FUZZ_VERSION)
	scripts/fuzz.sh $(or $(SECONDS),60) $(TARGET)

fmt: ## Format the code
	cargo fmt --all

doc: ## Build the documentation without a warning
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --quiet

deny: ## Licences, banned crates and sources of every dependency
	@command -v cargo-deny >/dev/null || \
	    cargo install --locked --debug --quiet --root $(TOOLS) cargo-deny@$(CARGO_DENY_VERSION)
	cargo deny --all-features check --hide-inclusion-graph bans licenses sources

# Reads manifests and sources only. An exception stands in a crate's [package.metadata.cargo-machete], with its reason.
machete:
	@command -v cargo-machete >/dev/null || \
	    cargo install --locked --debug --quiet --root $(TOOLS) cargo-machete@$(CARGO_MACHETE_VERSION)
	cargo machete

files: deps ## Check the compose file, the Prometheus rules with their tests, and the dashboards
	scripts/check_files.sh

# A fresh machine installs the six tools once (two minutes; pip and npm). The binary is the tests' own: nothing is built twice.
document: dashboard ## Make clients from the API document with the usual generators, and compile them
	cargo test --locked --workspace --features failpoints --no-run --quiet
	scripts/check_document.py

deps: ## Install the system packages that are missing (apt, root or sudo)
	@scripts/install_packages.sh

# A fresh machine builds nextest once (three minutes): `cargo test` knows no test groups and no time limits.
nextest:
	@command -v cargo-nextest >/dev/null || \
	    cargo install --locked --debug --root $(TOOLS) cargo-nextest@$(CARGO_NEXTEST_VERSION)

clean: ## Remove everything built and every test's data
	cargo clean
