# The commands of this checkout. Each prepares .venv first, when that is needed.

ARGS ?=
BIN := .venv/bin

.PHONY: help setup run test check screenshots lock clean
.DEFAULT_GOAL := help

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' $(MAKEFILE_LIST) | expand -t 14

setup: ## install what is missing on this machine and make .venv
	@.ci/setup

run: setup ## open the screen: make run ARGS="--demo gaming"
	@$(BIN)/vfiotop --demo-if-no-gpu $(ARGS)

test: ## run the tests: make test ARGS="tests/unit -k pci"
	@.ci/setup --tests
	@$(BIN)/pytest $(ARGS)

check: setup ## lint, format, types, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

screenshots: setup ## draw screenshots/ anew
	@rm -f screenshots/*.svg
	@$(BIN)/python -m tests.ui.screenshots screenshots

lock: ## pin the newest versions in requirements.lock (needs uv)
	@uv pip compile pyproject.toml --quiet --upgrade --extra dev --universal \
		--python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--no-annotate --output-file requirements.lock

clean: ## remove .venv and everything that tools left
	@rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache snapshot_report.html
	@find tui widgets tests -name __pycache__ -exec rm -rf {} +
