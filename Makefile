# Everything a person or a CI server does here. GNU make 3.81 and bash 3.2 suffice.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# The first Python that this project supports; `make PYTHON=/path/to/python …` chooses another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null \
	&& echo "$$p" && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
# The audit's tools live by themselves: they are no part of what they audit.
AUDIT := .venv-audit
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# One thread per test process: the suite shares the machine with its brokers, one for each process.
TEST_ENV := OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false

.PHONY: help setup demo test faults pipelines image kubernetes bench model lint format generate up down audit clean

help: ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -e 's/:.*## /\t/' | expand -t 12

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "Python 3.11, 3.12 or 3.13 is needed and none was found on PATH." >&2; exit 2; fi
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing mgeo-stream into $(VENV) (the first time this downloads PyTorch) …"
	$(INSTALL) -e '.[worker,local]'
	@touch $@

$(VENV)/.tests: $(VENV)/.runtime
	$(INSTALL) -e '.[worker,local,otel,test]'
	@touch $@

setup: $(VENV)/.tests ## Make the virtual environment with everything in it

demo: $(VENV)/.runtime ## The whole story on this machine, a few minutes
	@$(BIN)/mgeo demo --reports out/demo

lint: $(VENV)/.tests ## Format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint ## Everything that a change must pass; ARGS="--junit-xml=FILE" for a CI server
	$(TEST_ENV) $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal $(ARGS)

faults: $(VENV)/.tests ## The long fault tests: kills, zombies, rebalances
	$(TEST_ENV) $(BIN)/python -m pytest -m fault --timeout 1800 tests/faults tests/integration

image: $(VENV)/.tests ## Build and run the images (Docker or podman)
	$(TEST_ENV) $(BIN)/python -m pytest -m image -s tests/images

kubernetes: $(VENV)/.tests ## The Kubernetes tree on a real control plane, built the first time (Go)
	$(BIN)/python -m tests.kubernetes.plane
	$(TEST_ENV) $(BIN)/python -m pytest -m kubernetes --timeout 600 tests/kubernetes

pipelines: $(VENV)/.tests ## Run the jobs of all three CI servers for real (deploy/ci)
	$(TEST_ENV) $(BIN)/python -m pytest -m "fault or not fault" --timeout 1800 \
		tests/unit/ci tests/integration/test_pipelines.py

bench: $(VENV)/.tests ## Measure this machine (most of an hour; leave it alone)
	$(BIN)/mgeo bench

model: $(VENV)/.tests ## Train the starter models anew; ARGS="--version …" trains another one on
	$(BIN)/python -m consumer.starter.train $(ARGS)

up: $(VENV)/.runtime ## Start a local Kafka broker and make the topics
	@$(BIN)/mgeo up
	@$(BIN)/mgeo topics create

down: $(VENV)/.runtime ## Stop it
	@$(BIN)/mgeo down

format: $(VENV)/.tests ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

generate: $(VENV)/.tests ## Write the schemas and the reference pages anew, from the code
	$(BIN)/python -m contracts.generate
	$(BIN)/python -m deploy.reference
	$(BIN)/python -m rollout.report.example docs/examples/report

$(AUDIT)/.tools: $(BIN)/python deploy/security/audit-requirements.txt
	$(BIN)/python -m venv $(AUDIT)
	$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check -r deploy/security/audit-requirements.txt
	@touch $@

audit: $(VENV)/.tests $(AUDIT)/.tools ## Known holes in what we use (3: could not be asked), and a list of contents
	MGEO_TEST_AUDIT_TOOLS=$(CURDIR)/$(AUDIT)/bin $(BIN)/python -m pytest -q tests/integration/test_audit_tools.py
	$(BIN)/python -m deploy.security sbom --tools $(AUDIT)/bin --out out/sbom.json
	$(BIN)/python -m deploy.security audit --tools $(AUDIT)/bin --out out/audit.json

clean: ## Remove the virtual environment and caches
	rm -rf $(VENV) $(AUDIT) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info
