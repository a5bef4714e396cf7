# Everything a checkout needs: Python 3.11 or later, and make.
#
#   make setup    make demo ARGS="--seconds 30"    make test    make bench
#
# Another Python: make setup PYTHON=python3.12. Pytest's own arguments: make unit ARGS="tests/book -k flip".

PYTHON ?= python3
ARGS ?=
SEEDS ?= 10000

VENV := .venv
BIN := $(VENV)/bin
CLIENTS := .venv-clients
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# The rooms whose every line and branch must be covered.
WHOLLY_COVERED := */trueup/model/*,*/trueup/book/*

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help setup demo test test-clients lint types layers unit floors sim bench format lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.dev $(VENV)/.package ## Make .venv with the pinned tools and this package; does nothing when up to date

demo: $(VENV)/.run $(VENV)/.package ## Run the demo (ARGS="--seconds N --seed N")
	$(BIN)/trueup demo $(ARGS)

test: lint types layers unit floors ## Every check there is: style, types, layers, tests, coverage

lint: setup ## Ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup ## mypy, strict
	$(BIN)/mypy

layers: setup ## import-linter: who may import whom
	$(BIN)/lint-imports

# Two workers a core: many tests wait for sockets and clocks.
unit: setup ## Pytest on all cores, measuring coverage
	@rm -f .coverage .coverage.*
	$(BIN)/python -m pytest -n $$($(BIN)/python -c 'import os; print(2 * (os.cpu_count() or 1))') --dist worksteal --cov --cov-report= --cov-fail-under=0 $(ARGS)

floors: ## Coverage floors, after unit: the whole, and all of model and book
	@echo "coverage: the whole"
	@$(BIN)/coverage report
	@echo "coverage: model and book"
	@$(BIN)/coverage report --include='$(WHOLLY_COVERED)' --fail-under=100

test-clients: setup $(CLIENTS)/.installed ## The venues' official clients and ccxt against the rehearsal venues
	$(BIN)/python -m pytest clients --client-python $(CLIENTS)/bin/python $(ARGS)

sim: setup ## Simulated crashes and power losses, on all cores; goes on where it stopped (SEEDS=100000)
	$(BIN)/python -m trueup.testing.sim --seeds $(SEEDS) --state build/simulation.json $(ARGS)

bench: setup ## Measure, and write JSON under benchmarks/results/
	@mkdir -p benchmarks/results
	$(BIN)/python -m benchmarks $(ARGS)

format: setup ## Put the code into its form, mending what can be mended
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

# --- The environment -----------------------------------------------------------------------------------------------
# Each stamp stands for one finished step and is renewed when what it was made from changes.

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "trueup needs Python 3.11 or later and $(PYTHON) is " + sys.version.split()[0] + ": name another, as in make setup PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.dev: requirements/dev.txt | $(VENV)/pyvenv.cfg
	$(PIP) install --require-hashes --requirement requirements/dev.txt
	@touch $@ $(VENV)/.run

$(VENV)/.run: requirements/run.txt | $(VENV)/pyvenv.cfg
	$(PIP) install --require-hashes --requirement requirements/run.txt
	@touch $@

# An environment of their own: official clients pin old versions.
$(CLIENTS)/.installed: requirements/clients.txt
	$(PYTHON) -m venv $(CLIENTS)
	$(CLIENTS)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes --requirement requirements/clients.txt
	@touch $@

# The build backend is among the requirements, so nothing unpinned is fetched here.
$(VENV)/.package: pyproject.toml src/trueup/__init__.py $(VENV)/.run
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

lock: ## Pin the newest versions that pyproject.toml allows (needs Python 3.11)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "pins are made with the oldest supported Python: make lock PYTHON=python3.11")'
	$(PYTHON) -m venv --clear build/lock
	build/lock/bin/python -m pip --disable-pip-version-check --quiet install 'pip-tools>=7.6,<8'
	requirements/compile build/lock/bin/pip-compile

clean: ## Remove the environment and all that was made
	rm -rf $(VENV) $(CLIENTS) build dist .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
