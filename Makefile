# The hub's commands. `make` alone lists them.
#
# Everything Python lives in .venv, which is made when it is missing and renewed when pyproject.toml changes. The console
# is built when its sources have changed. pip and npm run with the user's own configuration: no registry is named here.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The Python that .venv is made from: the first of these that is 3.11 or later. `make PYTHON=...` names another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PORT ?= 8080
ARGS ?=
# How many tests run at once. Each process starts a PostgreSQL of its own, and some tests drive a browser: one a core.
JOBS ?= 2

VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# An editable install that leaves the console to `make console`, which does not need Node in a build environment.
PIP_INSTALL_HUB := HUB_SKIP_CONSOLE=1 $(PIP_INSTALL) --editable

.PHONY: help
help: ## List these commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  PORT=8080 and ARGS=\"...\" are passed on to what runs; data is kept in HUB_DATA_DIR."

# --- run ------------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: $(VENV)/.run console ## Run a complete hub with demo customers on http://127.0.0.1:8080 (PORT, ARGS)
	@exec $(BIN)/hub demo --port $(PORT) $(ARGS)

.PHONY: dev
dev: $(VENV)/.run console ## Run the hub on PORT, reloading, and Vite's server for the console on 5173
	@trap 'kill $$(jobs -p) 2>/dev/null || true' EXIT INT TERM; \
	$(BIN)/hub serve --port $(PORT) --reload $(ARGS) & \
	HUB_DEV_URL=http://127.0.0.1:$(PORT) $(BIN)/python hatch_build.py npm run dev & \
	wait -n

.PHONY: bench
bench: $(VENV)/.test console ## Measure the hub on this machine (ARGS)
	@exec $(BIN)/hub bench $(ARGS)

# --- check ----------------------------------------------------------------------------------------------------------

# A test that ran out of its time ends its worker; with another one its whole file would begin anew, and wait again.
.PHONY: test
test: $(VENV)/.test console ## Run all tests, installing what they need (ARGS go to pytest)
	@$(BIN)/python -m tests.support.programs
	@$(BIN)/python hatch_build.py npm run --silent test
	@exec $(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --max-worker-restart 0 $(ARGS)

# All of them, however many fail: a list of everything that is wrong is worth more than the first of it.
.PHONY: quick
quick: $(VENV)/.test ## Run the everyday part of the tests: SQLite alone, no browser, no killed processes (ARGS go to pytest)
	@exec $(BIN)/python -m pytest --quick --numprocesses $(JOBS) --dist loadfile --max-worker-restart 0 $(ARGS)

.PHONY: check check-format check-style check-types check-console check-audit
check: $(VENV)/.dev ## Check format, style and types, and audit the dependencies
	@$(MAKE) --keep-going check-format check-style check-types check-console check-audit

check-format:
	$(BIN)/python -m ruff format --check .

check-style:
	$(BIN)/python -m ruff check .

check-types:
	$(BIN)/python -m mypy

check-console:
	$(BIN)/python hatch_build.py npm run --silent typecheck
	$(BIN)/python hatch_build.py npm run --silent lint

check-audit:
	$(BIN)/python .ci/audit.py

.PHONY: format
format: $(VENV)/.dev ## Put the Python sources in order
	$(BIN)/python -m ruff check --fix-only .
	$(BIN)/python -m ruff format .

# --- make -----------------------------------------------------------------------------------------------------------

.PHONY: console
console: | $(VENV)/bin/python ## Build the console, if it is out of date
	@$(BIN)/python hatch_build.py

# Some Pythons come with pip but without ensurepip (Debian's python3-pip without python3-venv): then pip is put in from
# outside. `python -m pip`, never bin/pip: a checkout that was moved has stale first lines in its scripts.
$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "error: the hub needs Python 3.11 or later, and found none on PATH." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { \
		rm -rf $(VENV) && $(PYTHON) -m venv --without-pip $(VENV) && \
		$(PYTHON) -m pip --python $(VENV)/bin/python install --quiet pip; } || { \
		rm -rf $(VENV); \
		echo "error: could not make $(VENV) with $(PYTHON); on Debian: apt install python3-venv" >&2; exit 1; }

# What the hub needs to run ⊂ what its tests need ⊂ what its developers need. A larger one stands for the smaller.
$(VENV)/.run: pyproject.toml | $(VENV)/bin/python
	@echo "Installing the hub into $(VENV)"
	@$(PIP_INSTALL_HUB) '.[voice]'
	@touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/bin/python
	@echo "Installing the hub and what its tests need into $(VENV)"
	@$(PIP_INSTALL_HUB) '.[test]'
	@touch $@ $(VENV)/.run

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	@echo "Installing the hub and its developers' tools into $(VENV)"
	@$(PIP_INSTALL_HUB) '.[dev]'
	@touch $@ $(VENV)/.run $(VENV)/.test

.PHONY: clean
clean: ## Remove what make has made (.venv, the built console, caches), never the data
	rm -rf $(VENV) build dist web_console/node_modules hub/web/static/console hub/web/static/widget.js
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
