# The commands of this checkout. Each one prepares .venv first if needed.

ARGS ?=
TOPOLOGY ?=
RUN ?= bash -i
BIN := .venv/bin

# Bytecode is compiled once, not by each of the many programs that the tests start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup run test lab prometheus bench soak real mutants check manual screenshots lab-screenshots lock clean
.DEFAULT_GOAL := help

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST) | expand -t 18

setup: ## install what is missing on this machine and create .venv
	@.ci/setup

run: setup ## open the screen: make run ARGS="--demo gaming"
	@$(BIN)/vfiotop --demo-if-no-gpu $(ARGS)

PREFIX ?= /usr/local
DESTDIR ?=

.PHONY: install uninstall deb packages
install: manual ## install for everybody, in files of root's: sudo make install PREFIX=/usr/local
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' .packaging/install

uninstall: ## remove what make install installed; with PURGE=1 also the history and the journal
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' .packaging/install --uninstall $(if $(filter 1,$(PURGE)),--purge)

deb: manual ## build packages for Debian 12 and 13 in build/, each in a chroot: sudo make deb
	@.ci/setup --deb
	@.packaging/deb

packages: ## build, install, try, upgrade and remove what is installed and the Debian packages
	@.ci/setup --packages
	@VFIOTOP_PACKAGES=1 $(BIN)/pytest tests/packages $(ARGS)

test: ## run the tests: make test ARGS="tests/unit -k pci"
	@.ci/setup --tests
	@.ci/in-memory $(BIN)/pytest -n $$(( $$(nproc) + 4 )) --dist worksteal $(ARGS)

lab: ## run the tests in the lab, or open a shell there: make lab TOPOLOGY=two-slots RUN=vfiotop
	@.ci/setup --lab
	@$(BIN)/python -m tests.lab $(if $(TOPOLOGY),--topology $(TOPOLOGY) --open '$(RUN)') $(ARGS)

prometheus: ## check the metrics with Debian's prometheus, promtool and node_exporter
	@.ci/setup --prometheus
	@VFIOTOP_PROMETHEUS=.prometheus $(BIN)/pytest tests/prometheus $(ARGS)

bench: ## measure next to nvitop and nvtop: make bench ARGS="--runs 1 --only keys"
	@.ci/setup --bench
	@$(BIN)/python -m tests.bench $(ARGS)

soak: ## watch the screen for an hour, for leaks of memory, descriptors, threads: make soak ARGS="--seconds 240"
	@.ci/setup --tests
	@$(BIN)/python -m tests.bench.soak $(ARGS)

real: setup ## compare the readings of a real NVIDIA card with nvidia-smi's, in a few minutes
	@$(BIN)/python -m tests.real $(ARGS)

mutants: ## list mistakes that no test outside the lab notices: make mutants ARGS="swap/command.py"
	@.ci/setup --tests
	@$(BIN)/python -m tests.mutants $(ARGS)

check: setup ## check lint, format, types, security, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/bandit --quiet --configfile pyproject.toml --recursive tui widgets
	@$(BIN)/lint-imports --no-logo

manual: setup ## write the manual pages and shell completions to build/
	@PYTHONPATH=.packaging $(BIN)/python -m manual build

screenshots: setup ## draw screenshots/ again
	@find screenshots -name '*.svg' ! -name 'lab-*' -delete
	@$(BIN)/python -m tests.ui.screenshots screenshots

lab-screenshots: ## make the lab's pictures and recordings again
	@.ci/setup --lab
	@$(BIN)/python -m tests.lab --topology two-slots --topology systemd --pictures screenshots --thorough \
		-k "unbind_that_hangs or one_key or goes_away_in_the_middle or shares_its_core or return_on_the_screen"

lock: ## pin the newest versions in requirements.lock (needs uv)
	@uv pip compile pyproject.toml --quiet --upgrade --extra dev --universal \
		--python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--no-annotate --output-file requirements.lock

clean: ## remove .venv and everything the tools left behind
	@rm -rf .venv .lab .bench .prometheus build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache snapshot_report.html
	@find tui widgets tests -name __pycache__ -exec rm -rf {} +
