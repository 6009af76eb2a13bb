# `make run` and `make test` need only Python 3.11+, git and make; everything else is installed into .venv.
SHELL := /bin/bash
.DEFAULT_GOAL := help
UV_VERSION := 0.13.9
UV := $(shell command -v uv || echo .venv/bin/uv)
BIN := .venv/bin
export DVC_NO_ANALYTICS := 1
export DO_NOT_TRACK := 1

.PHONY: help setup run site test check format bench prove clean

help: ## List the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: .venv/.ready ## Install everything from uv.lock into .venv

.venv/.ready: uv.lock pyproject.toml
	@command -v uv >/dev/null || [ -x .venv/bin/uv ] || { \
	  echo "Installing uv $(UV_VERSION) into .venv"; \
	  python3 -m venv .venv && .venv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION); }
	@env -u VIRTUAL_ENV $(UV) sync --frozen --quiet --compile-bytecode
	@touch $@

run: .venv/.ready ## Run the loop; ARGS="size=tiny" for a quick look
	@$(BIN)/flywheel run $(ARGS)

site: run ## Build site/: the report as a page, and Evidently's page next to it
	@$(BIN)/flywheel site

test: .venv/.ready ## Run all tests; ARGS="-k gate" for some
	@$(BIN)/pytest $(ARGS)

check: .venv/.ready ## Check format, lint, types and workflows
	@$(BIN)/ruff format --check --quiet . || { echo "Not formatted. Run: make format"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@[ ! -f reports/decision.json ] || $(BIN)/check-jsonschema --quiet \
	  --schemafile src/flywheel/evaluation/decision.schema.json reports/decision.json
	@$(BIN)/zizmor --offline --quiet --no-progress --min-severity medium .github
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-actions .github/actions/*/action.yml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-issue-forms \
	  $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))

format: .venv/.ready ## Format the code
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --quiet --fix .

bench: .venv/.ready ## Measure seconds and memory of every stage against a plain script
	@$(BIN)/python bench/bench.py $(ARGS)

prove: .venv/.ready ## Plant what the gate must stop and what it must let through, and leave the loop alone for the span
	@$(BIN)/python bench/prove.py $(ARGS)

clean: ## Delete everything that a run makes and Git does not keep
	rm -rf data site .flywheel .dvc/cache .dvc/tmp .pytest_cache .mypy_cache .ruff_cache .hypothesis
