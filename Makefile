# Copyright (c) 2026, onetoken.openstack contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# `make` lists the targets. Works in any directory, as root or with sudo, with Python 3.11 or later.

PYTHON ?= python3
SANDBOX = $(PYTHON) tests/sandbox/sandbox.py
PYTEST = .venv/bin/python -m pytest
# Each process has a part of the tests, and takes over from the others when it is done. Unit tests often
# wait; each process of integration tests needs a sandbox.
SIDE_BY_SIDE = --dist=worksteal --numprocesses=2
UNITS_SIDE_BY_SIDE = --dist=worksteal --numprocesses=6
TOOLS = PATH="$(CURDIR)/.venv/bin:$$PATH"
COLLECTION = ansible_collections/onetoken/openstack

# Ansible wants UTF-8, and its settings from here, even in a directory that everyone may write.
export LC_ALL := C.UTF-8
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
unexport ANSIBLE_COLLECTIONS_PATH PYTHONPATH PYTHONHOME

.PHONY: help install sandbox-up sandbox-down sandbox-reset demo check style quick-unit returns format lint sanity sanity-all docs pictures unit coverage integration test test-all test-repeats test-versions test-devel test-matrix test-fidelity benchmark bench structure build release clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

install: ## install Ansible, openstacksdk and the checks' tools into .venv
	@$(PYTHON) tests/tools/install.py

sandbox-up: ## install and start a real OpenStack on 127.0.0.1, in .sandbox
	$(SANDBOX) up

sandbox-down: ## stop it, keep its data
	$(SANDBOX) down
	@for directory in .sandbox-*/; do test ! -d "$$directory" || SANDBOX_DIRECTORY=$$directory $(SANDBOX) down; done

sandbox-reset: ## stop it, delete its data, start it anew
	$(SANDBOX) reset

demo: install sandbox-up ## 40 tasks with the password, the same on one token, and a bulk snapshot, in the sandbox
	@.venv/bin/python tests/tools/demo.py

check: install ## the loop of a change, in a minute: format, ruff, mypy, and the unit tests that start no process
	$(MAKE) --no-print-directory --jobs=2 --output-sync=target style quick-unit

style: install
	.venv/bin/ruff check plugins tests noxfile.py
	.venv/bin/ruff format --check plugins tests noxfile.py
	cd .venv/collections && MYPYPATH="$$PWD" ../bin/mypy --config-file ../../mypy.ini $(addprefix $(COLLECTION)/,plugins tests)

quick-unit: install
	$(PYTEST) $(UNITS_SIDE_BY_SIDE) -m "not processes" tests/unit

returns: install ## write the RETURN blocks of the bulk modules, from tests/tools/returns
	.venv/bin/python tests/tools/returns.py

format: returns ## write the RETURN blocks and the notices in French pages, format the Python files, and fix what ruff can
	.venv/bin/python tests/tools/translations.py
	.venv/bin/ruff check --fix plugins tests noxfile.py
	.venv/bin/ruff format plugins tests noxfile.py

lint: style ## style, types, spelling, licences, documentation, and what Galaxy would say
	.venv/bin/yamllint --strict .
	.venv/bin/codespell
	.venv/bin/reuse lint --quiet
	$(TOOLS) .venv/bin/ansible-lint --nocolor
	.venv/bin/antsibull-changelog lint
	$(TOOLS) .venv/bin/antsibull-docs lint-collection-docs .
	.venv/bin/python tests/tools/importer.py
	@! grep -rnwE 'TO[D]O|FIX[M]E' --binary-files=without-match --exclude-dir='.?*' --exclude-dir=__pycache__ . .ci/run

sanity: install ## ansible-test sanity, of the newest ansible-core that runs here, or of ENVIRONMENTS=.venv-oldest
	$(PYTHON) tests/tools/sanity.py $(or $(ENVIRONMENTS),newest)

sanity-all: install ## ansible-test sanity, of every supported ansible-core
	$(PYTHON) tests/tools/sanity.py

docs: install ## the documentation, into .docs/html
	.venv/bin/python tests/tools/docs.py

pictures: install sandbox-up ## the pictures of the documentation, anew: docs/images
	.venv/bin/python tests/pictures/pictures.py $(PICTURES)

unit: install ## tests without a cloud
	$(PYTEST) $(UNITS_SIDE_BY_SIDE) tests/unit

# Apart from make test: before Python 3.12, to be measured costs a process half as much again.
coverage: install ## the same, and how much of plugins/ they run: 95 % of the lines, or it fails
	.venv/bin/python tests/tools/plugin_coverage.py $(PYTEST) $(UNITS_SIDE_BY_SIDE) tests/unit

# Two at a time, each with a sandbox of its own.
integration: install sandbox-up ## tests against the sandbox
	$(PYTEST) $(SIDE_BY_SIDE) tests/integration

test-versions: install sandbox-up ## tests against the sandbox, on the oldest and the newest ansible-core
	PYTEST_ADDOPTS="$(SIDE_BY_SIDE) $$PYTEST_ADDOPTS" $(PYTHON) tests/tools/versions.py

test-devel: install sandbox-up ## the same on Ansible's development branch, which this takes from GitHub
	PYTEST_ADDOPTS="$(SIDE_BY_SIDE) $$PYTEST_ADDOPTS" $(PYTHON) tests/tools/versions.py devel

test-matrix: install sandbox-up ## unit and sandbox tests on every combination of versions that this machine has a Python for
	.venv/bin/python tests/tools/matrix.py $(NOX)

test-repeats: install sandbox-up ## tests that show once more what others do, at a larger size or in another way
	$(PYTEST) $(UNITS_SIDE_BY_SIDE) -m "repeats or hypothesis" --hypothesis-profile=many tests/unit
	$(PYTEST) $(SIDE_BY_SIDE) -m repeats tests/integration

test-fidelity: install sandbox-up ## every module of openstack.cloud, with the password, on a session and in forks: docs/fidelity.md
	$(PYTEST) -m fidelity tests/integration

benchmark: install sandbox-up ## what tasks cost in each way that they can run: docs/figures.md, and the table of the README
	.venv/bin/python tests/benchmarks/benchmark.py $(BENCHMARK)

bench: install sandbox-up ## what bulk runs cost beside the loops that they replace: docs/benchmarks.md
	.venv/bin/python tests/benchmarks/bulk.py $(BENCH)

# What needs no sandbox runs while that is being installed, the longest from the start.
test: install ## what a change must pass: lint, sanity, docs, unit tests, integration tests
	$(MAKE) --no-print-directory --jobs=3 --output-sync=target unit sandbox-up sanity lint docs
	$(MAKE) --no-print-directory integration

test-all: test ## everything, for a release, in hours: test, and on all versions, and every module of openstack.cloud
	$(MAKE) --no-print-directory coverage
	$(MAKE) --no-print-directory sanity-all
	$(MAKE) --no-print-directory test-repeats
	$(MAKE) --no-print-directory test-versions
	$(MAKE) --no-print-directory test-matrix
	$(MAKE) --no-print-directory test-fidelity

structure: install ## what can be counted of the structure: files, layers, the way of a snapshot and of a token; draws the layers
	.venv/bin/python tests/structure/picture.py
	.venv/bin/python tests/structure/figures.py

build: install ## the collection's tarball
	rm -f onetoken-openstack-*.tar.gz
	.venv/bin/ansible-galaxy collection build

release: install ## all of a release but publishing it: make release VERSION=1.2.3, or a trial of that with DRY_RUN=1
	@.venv/bin/python tests/tools/release.py $(VERSION) $(if $(DRY_RUN),--dry-run)

clean: sandbox-down ## stop the sandbox and delete everything that make has made
	rm -rf .venv .venv-* .sandbox .sandbox-* .ansible .pytest_cache .ruff_cache .mypy_cache .nox .docs onetoken-openstack-*.tar.gz
	find . -name __pycache__ -prune -exec rm -rf {} +
