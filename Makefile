# The commands for people and for CI. Nothing but Python 3.11 (or later) and make is needed first.
#   make demo [PICTURES=/folder]   see it work           make serve [DATA=folder]   the API and the page
#   make check                     lint, and fast tests  make test                  lint, and all but the deepest tests
#   make test-full                 everything CI checks  make bench                 the figures of the documents
#   make docs                      the documents as a site, in out/site
#   make mutants                   mutation testing of what ranks and filters (docs/development/testing.md)

PYTHON ?= python3
VENV ?= .venv
DATA ?= data
BIN := $(VENV)/bin
# What people use; and what CI checks as well: checkpoints of published encoders (cn_clip needs a C compiler).
EXTRAS := cpu,index,ui,demo
CHECKED := cpu,train,ui,demo,dev

# A test is fast unless a fixture says otherwise: see tests/conftest.py.
FAST := not (heavy or processes or servers or browser or torch or depth)
PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

# Every process that a test starts would compile the code anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo check test test-full fast most covered mutants serve bench docs lint install install-checked clean
.DEFAULT_GOAL := demo

install: $(VENV)/.installed
install-checked: $(VENV)/.checked

# PIP_CONSTRAINT also pins what builds the package. Compiled by all processors: pip has one do it. What is there of
# templates and of Python 2 cannot be compiled.
$(VENV)/.installed $(VENV)/.checked: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "xuntu needs Python 3.11 or later; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile \
		--editable '.[$(if $(filter %.checked,$@),$(CHECKED),$(EXTRAS))]'
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	@touch $@

demo: install
	@$(BIN)/xuntu demo $(if $(PICTURES),"$(PICTURES)")

serve: install
	@$(BIN)/xuntu serve --with-ui --data $(DATA)

check: install-checked
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target lint fast

fast: install-checked
	$(PYTEST) -m "$(FAST)"

# Types are checked by one process, so lint runs beside the tests, whose progress is to be seen.
test: install-checked
	@$(MAKE) --no-print-directory --jobs 2 lint most

most: install-checked
	$(PYTEST) -m "not depth"

test-full: install-checked
	@$(MAKE) --no-print-directory --jobs 2 lint covered

covered: install-checked
	$(PYTEST) --cov --cov-report=term:skip-covered

mutants: install-checked
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt mutmut==3.8.1
	$(BIN)/mutmut run
	$(BIN)/mutmut results

lint: install-checked
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: install-checked
	$(BIN)/python tests/benchmarks/run.py

docs: install-checked
	$(BIN)/python docs/generate.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) out mutants .coverage .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
