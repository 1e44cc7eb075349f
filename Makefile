# Homeward's targets; bare `make` lists them. Each one sets up what it needs first.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= 2

.PHONY: help setup demo test test-fast lint bench format browser

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | awk -F'\t' '{printf "  make %-10s %s\n", $$1, $$2}'

.venv/.packages: requirements.lock
	@PYTHON="$(PYTHON)" .ci/make-venv

.venv/.editable: pyproject.toml .venv/.packages
	@flock .venv $(BIN)/python -m pip install -qq --no-deps --no-build-isolation --no-index --editable .
	@touch $@

setup: .venv/.editable ## make .venv and the private servers' programs
	@$(BIN)/python -m homeward.local

demo: setup ## a demo trust with live simulated patients
	@$(BIN)/homeward demo $(ARGS)

test: setup browser ## everything, against real services
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

test-fast: setup ## the part that needs no service, in a minute or two
	@$(BIN)/python -m pytest -m pure $(ARGS)

lint: setup ## style, types and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: setup ## measure ingest end to end, and the scoring
	@$(BIN)/python -m benchmarks $(ARGS)

format: setup ## let ruff put the source in order
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

browser: setup
	@.ci/install-browser
