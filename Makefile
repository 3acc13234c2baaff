# `make` prints the menu. It needs Python 3.11 or newer; everything else comes from uv.lock.

UV_VERSION := 0.13.9
CHECKOV_VERSION := 3.3.30
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SWITCHBOARD := $(BIN)/switchboard
RATE ?= 8
MINUTES ?= 60
PAIRS ?= 10
# Two at a time, a file on one of them: what a file shares is made once. Beyond two, clouds compete for the machine.
PARALLEL ?= 2
SEED := $(or $(SEED),$(shell date +%s))

.DEFAULT_GOAL := help
.PHONY: test-contract test-deep audit release help up demo down status clean test check docs bench soak dashboard

help:
	@echo "make up         start everything on this machine; Ctrl-C stops it"
	@echo "make demo       the same, with a live floor of $(RATE) calls a minute (RATE=20), the page opened"
	@echo "make down       stop what runs in the background"
	@echo "make status     where everything is, and whether it answers"
	@echo "make clean      stop, and drop the data and what was built"
	@echo "make test       all kinds of tests: unit, integration, end to end, browser (minutes)"
	@echo "make test-contract  cloud suites (moto, MiniStack, LocalStack), generated clients, all views of the dashboard"
	@echo "make test-deep  searches: random examples, a kill at every round trip, long hand-overs, soak tests"
	@echo "make audit      what is known against the dependencies and the template"
	@echo "make check      format, lint, types, import rules, template, dashboard"
	@echo "make docs       build the documentation into build/docs; a broken link or anchor is an error"
	@echo "make bench      measure speed, next to targets and the machine's limits"
	@echo "make compare    measure this checkout against an older one (BEFORE=../old PAIRS=10)"
	@echo "make soak       a busy floor for an hour (MINUTES=60), and what did not stay flat"
	@echo "make dashboard  build the page"
	@echo "make release    build the wheel, the dashboard, bills of materials and checksums into dist/"

up: $(READY)
	@$(SWITCHBOARD) up

demo: $(READY)
	@$(SWITCHBOARD) demo --calls-per-minute $(RATE)

down:
	@if [ -x $(SWITCHBOARD) ]; then $(SWITCHBOARD) down; else echo "Nothing was running."; fi

status: $(READY)
	@$(SWITCHBOARD) status

clean: down
	rm -rf .switchboard build dist dashboard/dist

test: $(READY)
	@$(BIN)/python -m infra.toolchain.chromium
	$(BIN)/pytest -n $(PARALLEL) --dist loadfile --no-loadscope-reorder $(TESTS)

test-contract: $(READY)
	@$(BIN)/python -m infra.toolchain.chromium
	$(BIN)/pytest -n $(PARALLEL) --dist loadfile --no-loadscope-reorder -m contract $(TESTS)

test-deep: $(READY)
	@$(BIN)/python -m infra.toolchain.chromium
	@echo "Random examples with seed $(SEED): make test-deep SEED=$(SEED) repeats them."
	$(BIN)/pytest -n $(PARALLEL) -m "deep or hypothesis" --hypothesis-profile deep --hypothesis-seed $(SEED) $(TESTS)

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/cfn-lint template.yaml infra/deployment/data.template.yaml
	$(BIN)/python -m infra.database.locks
	$(BIN)/python -m infra.specs.generate --check
	$(BIN)/python -m infra.toolchain.dashboard check

# In an environment of its own: nothing else needs Sphinx. -E reads all pages again, because a kept state hides warnings.
docs: $(READY)
	@UV_SYSTEM_CERTS=1 UV_PROJECT_ENVIRONMENT=build/docs-env $(BIN)/uv run -q --frozen --no-python-downloads --python $(BIN)/python \
		--only-group docs sphinx-build -q -E -W --keep-going -b html -d build/docs-cache docs build/docs
	@echo "build/docs/index.html"

# Tools with dependencies of their own, pinned: uvx keeps each in an environment of its own, and trusts whom the machine trusts.
audit: $(READY)
	UV_SYSTEM_CERTS=1 $(BIN)/uvx --python "$$($(BIN)/python -c 'import sys; print(sys.executable)')" -q checkov==$(CHECKOV_VERSION) --config-file .checkov.yaml
	@$(BIN)/python -m infra.toolchain.audit
	@$(BIN)/python -m infra.toolchain.check_licences

bench: $(READY)
	$(BIN)/python -m bench $(ONLY)

compare: $(READY)
	$(BIN)/python -m bench.compare $(BEFORE) --pairs $(PAIRS)

soak: $(READY)
	$(BIN)/python -m bench.soak --minutes $(MINUTES)

dashboard: $(READY)
	$(BIN)/python -m infra.toolchain.dashboard build

release: $(READY)
	@$(BIN)/python -m infra.toolchain.release

# Rebuilt when the lock changes, and at no other time.
$(READY): uv.lock pyproject.toml
	@sh infra/toolchain/bootstrap.sh $(UV_VERSION) "$(PYTHON)" && touch $@

# `sam build` calls this for each function: make build-IngestFunction ARTIFACTS_DIR=…
build-%: $(READY)
	@$(BIN)/python -m infra.deployment.package $* "$(ARTIFACTS_DIR)"
