# Two commands: make up (the dev environment on a simulated AWS) and make test. Both set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: up down test lint bench lock types policies refusals clean

up: $(VENV)/.installed
	@$(BIN)/isostack up dev

down: $(VENV)/.installed
	@$(BIN)/isostack destroy dev --yes
	@$(BIN)/isostack cloud stop

test: $(VENV)/.installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -n auto --dist worksteal

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.installed-dev
	@$(BIN)/python -m benchmarks

# The table of resource types in docs/resource-types.md, from the rows themselves.
types: $(VENV)/.installed
	@$(BIN)/python -m isostack.localcloud.table

# What the embedded engine does not do, in docs/engines.md, from its refusals.
refusals: $(VENV)/.installed
	@$(BIN)/python -m isostack.engine.refusals

# The table of policies in docs/policies.md, from the pack itself.
policies: $(VENV)/.installed
	@$(BIN)/python -m isostack.policy.table docs/policies.md policies

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "isostack needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another with: make PYTHON=python3.12 up")'
	@echo "making $(VENV)…"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "installing packages (a minute or two, once)…"
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@echo "installing what the tests need…"
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

# Both locks anew, from pyproject.toml: exact versions and hashes, no index address.
lock: | $(VENV)/bin/python
	@$(BIN)/python -m pip install --quiet pip-tools
	@CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/python -m piptools compile --quiet --generate-hashes --allow-unsafe --strip-extras \
	  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --build-deps-for editable --output-file requirements.lock pyproject.toml
	@CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/python -m piptools compile --quiet --generate-hashes --allow-unsafe --strip-extras \
	  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --build-deps-for editable --extra test --output-file requirements-dev.lock pyproject.toml

clean:
	rm -rf $(VENV) build dist *.egg-info
