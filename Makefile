# Everything a person or CI runs. On a bare machine with Python 3.11, pip and make these set up what they need.
#   make run                start the service desk on SQLite        make run ARGS="--config my.yaml"
#   make test               all tests                               make test ARGS="tests/domain -k merge"
#   make lint               style, types, import rules, house tests
#   make features           which test proves which feature
#   make docs               write the generated pages of docs/ from the code and the playbooks
#   make bench              our figures beside two yardsticks
#   make bench-peer         Alerta, installed into a folder of its own, and the desk in one paired run
#   make bench-syslog       the syslog part of it alone
#   make screenshot         docs/screenshot.png from a running desk
#   make lock               renew the lock files after a change of dependencies
#   make clean              remove what these made (never your data)

SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
ARGS ?=
BIN := $(VENV)/bin
export PYTHON VENV

.PHONY: help run test lint features docs screenshot bench bench-peer bench-syslog lock clean core dev machine

help:
	@sed -n 's/^#   //p' Makefile

core:
	@tools/setup_venv.sh core

dev:
	@tools/setup_venv.sh dev

machine:
	@tools/setup_test_machine.sh

run: core
	@exec $(BIN)/python -m servicedesk up $(ARGS)

test: dev machine
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

# All parts run, so that one look tells everything.
lint: dev
	@failed=0; run() { echo "$$*"; "$$@" || failed=1; }; \
	run $(BIN)/ruff check .; \
	run $(BIN)/ruff format --check .; \
	run $(BIN)/mypy; \
	run $(BIN)/lint-imports --no-logo; \
	run $(BIN)/python -m pytest -q tests/house; \
	exit $$failed

features: dev
	@$(BIN)/python -m tools.features $(ARGS)

docs: dev
	@$(BIN)/python -m tools.reference
	@$(BIN)/python -m tools.check_reference
	@$(BIN)/python -m tools.playbook_catalogue
	@$(BIN)/python -m tools.schemas

screenshot: dev
	@$(BIN)/python -m tools.screenshot

bench: dev
	@$(BIN)/python -m tests.benchmarks $(ARGS)
	@$(BIN)/python -m tests.benchmarks.syslog

bench-syslog: dev
	@$(BIN)/python -m tests.benchmarks.syslog $(ARGS)

bench-peer: dev
	@$(BIN)/python -m tests.benchmarks.peer $(ARGS)

lock: dev
	@tools/lock.sh $(ARGS)

clean:
	rm -rf $(VENV) .bench .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage dist build
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
