# The commands for people and for CI. Nothing but Python 3.11 (or later) and make is needed first.
#   make demo [PICTURES=/folder]   see it work           make serve [DATA=folder]   the API and the page
#   make test                      everything CI checks  make bench                 the figures of the README

PYTHON ?= python3
VENV ?= .venv
DATA ?= data
BIN := $(VENV)/bin
EXTRAS := cpu,index,ui,demo,dev

.PHONY: demo test serve bench lint install clean
.DEFAULT_GOAL := demo

install: $(VENV)/.installed

# PIP_CONSTRAINT also pins what builds the package.
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "xuntu needs Python 3.11 or later; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS)]'
	@touch $@

demo: install
	@$(BIN)/xuntu demo $(if $(PICTURES),"$(PICTURES)")

serve: install
	@$(BIN)/xuntu serve --with-ui --data $(DATA)

test: lint
	$(BIN)/python -m pytest

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: install
	$(BIN)/python tests/benchmarks/run.py

clean:
	rm -rf $(VENV) out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
