# Every target sets up what it needs in .venv; only Python 3.11+ (with venv), make and git must be there before.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow lint types fmt proto bench peers litellm lock

BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PYTHONS := $(or $(PYTHON),python3.13 python3.12 python3.11 python3)

help: ## List the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1\t\2/p' Makefile | expand -t 18

setup: .venv/development ## Make .venv with everything for development

demo: .venv/service ## Start the real service, send it traffic, show what it learned
	$(BIN)/routeward demo

test: lint types ## Check everything: style, types, architecture, contract, tests
	$(BIN)/pytest --numprocesses logical --maxprocesses 8

test-slow: .venv/peers .venv/slow .venv/litellm/installed ## Run the tests that take minutes
	$(BIN)/pytest -m slow

lint: .venv/development ## Check style
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: .venv/development ## Check types
	$(BIN)/mypy

fmt: .venv/development ## Format, and mend what can be mended
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

proto: .venv/development ## Generate routeward/v1 from proto/
	$(BIN)/python proto/generate.py

peers: .venv/peers ## Install the bandits and routers that we compare with

litellm: .venv/litellm/installed ## Install LiteLLM's proxy, a gateway that we compare with and put behind our own

bench: .venv/peers .venv/slow .venv/litellm/installed ## Run every benchmark and write build/benchmarks.json and .md (DATA=folder of outcome tables, OUT=docs)
	$(BIN)/python -m benchmarks --out $(or $(OUT),build)/benchmarks.json $(if $(DATA),--data $(DATA))
	$(BIN)/python -m benchmarks._page $(or $(OUT),build)/benchmarks.json

lock: $(BIN)/pip ## Write requirements/ anew (UPGRADE=--upgrade for newer versions)
	$(INSTALL) uv==0.13.9
	$(LOCK) requirements/dev.txt pyproject.toml $(SERVICE) --group dev
	$(LOCK) requirements/peers.txt --group peers --constraints requirements/dev.txt
	$(LOCK) requirements/slow.txt --group slow --constraints requirements/dev.txt
	$(LOCK) requirements/litellm.txt --group litellm
	$(LOCK) requirements/service.txt pyproject.toml $(SERVICE) --no-annotate --constraints requirements/dev.txt
	$(LOCK) requirements/client.txt pyproject.toml --no-annotate --constraints requirements/dev.txt
	$(LOCK) requirements/build.txt --group build --no-annotate --constraints requirements/dev.txt
# Ray is large, and only a log too large for one machine needs it.
SERVICE = --extra server --extra gateway --extra postgres --extra replay --extra report
LOCK = UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --no-config --quiet $(UPGRADE) --universal \
    --python-version 3.11 --fork-strategy fewest --generate-hashes --no-emit-index-url --no-emit-find-links --output-file

# The stamps below make a second run instant, and a changed lock file a new installation.
$(BIN)/pip:
	@for python in $(PYTHONS); do \
	    $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	        && exec $$python -m venv .venv; \
	done; \
	echo "Python 3.11 or newer with venv is needed; tried: $(PYTHONS)." >&2; \
	echo "Install it (Debian and Ubuntu: python3 python3-venv) or name it: make PYTHON=/path/to/python" >&2; exit 1

.venv/service: $(BIN)/pip pyproject.toml hatch_build.py requirements/build.txt requirements/service.txt
	@echo "Setting up .venv; the first time this downloads libraries for a minute or two ..."
	$(INSTALL) --require-hashes --requirement requirements/build.txt --requirement requirements/service.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/development: .venv/service requirements/dev.txt
	$(INSTALL) --require-hashes --requirement requirements/dev.txt
	@touch $@

.venv/peers: .venv/development requirements/peers.txt
	@echo "Setting up the peers for comparison (scikit-learn, pandas and the like); a minute or two ..."
	$(INSTALL) --require-hashes --requirement requirements/peers.txt
	@touch $@

.venv/slow: .venv/development requirements/slow.txt
	@echo "Setting up what the slow tests drive (Ray, Playwright) ..."
	$(INSTALL) --require-hashes --requirement requirements/slow.txt
	@touch $@

.venv/litellm/installed: .venv/development requirements/litellm.txt
	@echo "Setting up LiteLLM's proxy; a minute or two ..."
	$(BIN)/python -m venv .venv/litellm
	.venv/litellm/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	    --requirement requirements/litellm.txt
	@touch $@
