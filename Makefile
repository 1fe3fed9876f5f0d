# Labwright: `make help` lists what there is. Written for GNU make 3.81 and newer, on Linux and macOS.

PYTHON ?= python3
ARGS   ?=
JOBS   ?= 3

VENV := .venv
BIN  := $(VENV)/bin
DEMO := $(VENV)/.installed-demo
DEV  := $(VENV)/.installed-dev

# The constraints hold for the packages that build Labwright as well, hence the variables.
PIP := PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
       $(BIN)/python -m pip --disable-pip-version-check
PYTEST := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help install demo test soak check docs bench pins clean

help: ## list what there is
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1	\2/p' Makefile | expand -t 14

install: $(DEV) ## make .venv with Labwright, every extra and the tools of a developer

demo: $(DEMO) ## install what the demo needs, then find a fast charging protocol for a battery cell
	@$(BIN)/python examples/fast_charge/demo.py $(ARGS)

test: $(DEV) ## run the tests, a few files at a time; ARGS="-k gate" runs some
	$(PYTEST) -n $(JOBS) --dist loadfile -m "not soak and not docs" --durations=10 $(ARGS)

soak: $(DEV) ## run the long tests
	$(PYTEST) -m soak --durations=10 $(ARGS)

check: $(DEV) ## style, types, layers, and the code in the documentation
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) -m docs $(ARGS)

docs: $(DEV) ## write the reference pages again from the code
	$(BIN)/python docs/reference/generate.py

bench: $(DEV) ## measure: start, planner, engine
	$(BIN)/python benchmarks/start.py
	$(BIN)/python benchmarks/planner.py --quick
	$(BIN)/python benchmarks/engine.py --quick

pins: $(DEV) ## write constraints.txt from what is installed
	head -n 1 constraints.txt > constraints.new
	$(PIP) freeze --exclude-editable | grep '==' | tr 'A-Z_' 'a-z-' | LC_ALL=C sort >> constraints.new
	mv constraints.new constraints.txt

clean: ## remove .venv and every cache
	rm -rf $(VENV) .dbos .mutants .peers build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(DEMO): $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing Labwright and what the demo needs into $(VENV); the first time takes some minutes."
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[demo]'
	@touch $@

$(DEV): $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing Labwright and its tools into $(VENV); the first time takes some minutes."
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(DEMO)

$(BIN)/python:
	@command -v $(PYTHON) > /dev/null || { \
	    echo "Labwright needs Python 3.11 or newer, and there is no $(PYTHON). Install it, or name it:" \
	         "make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "Labwright needs Python 3.11 or newer; $(PYTHON) is" \
	         "`$(PYTHON) -c 'import platform; print(platform.python_version())'`." \
	         "Name a newer one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { \
	    echo "$(PYTHON) cannot make a virtual environment: its ensurepip is missing." \
	         "On Debian or Ubuntu: sudo apt install python3-venv"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
