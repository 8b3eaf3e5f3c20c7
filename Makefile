# medp2p: what a developer types. Needs python3 (3.11 or newer) and make; everything else goes into .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
WORKERS ?= 2
# extras to install too, such as EXTRAS=cluster,onnx: tests of those that are absent are skipped with the reason
EXTRAS  ?=

.DEFAULT_GOAL := help
.PHONY: help install demo test check fuzz sweep audit format bench docs clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP)  ## make .venv, with medp2p and its development tools

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: PYTHON: $$($(PYTHON) -V) is too old (expected 3.11 or newer). Fix: make install PYTHON=python3.12"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet -c constraints.txt --group dev -e ".$(if $(EXTRAS),[$(EXTRAS)])"
	@touch $@

demo: $(STAMP)  ## synthetic heads: train, translate, evaluate; leaves runs/demo
	@PATH="$(CURDIR)/$(BIN):$$PATH" ./.ci/demo

test: $(STAMP)  ## the tests, and every example in docstrings and documents
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS)

check: $(STAMP)  ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

fuzz: $(STAMP)  ## 10,000 damaged files: scans, configurations, tables, models; minutes
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.fuzz

sweep: $(STAMP)  ## kills, signals and full disks at each change of a run and of a translated folder; an hour
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.sweep

audit: $(STAMP)  ## known vulnerabilities of what is installed; asks the network
	$(BIN)/python -m pip install --quiet --group audit
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+[a-z0-9.]*$$//' > $(VENV)/installed.txt
	$(BIN)/python -m pip_audit --strict --no-deps --disable-pip -r $(VENV)/installed.txt

format: $(STAMP)  ## put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMP)  ## what the figures in the documentation are measured with
	$(BIN)/python -m benchmarks

docs: $(STAMP)  ## docs/_build/html/index.html
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo docs/_build/html/index.html

clean:  ## remove what was built, keep data and runs
	rm -rf $(VENV) docs/_build build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
