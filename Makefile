# make demo   classify real input in a fresh environment (core package, no torch)
# make test   everything CI runs
# make lint   the quick half of it
# make weights   the default weights, from nothing (hours; stopped, it goes on)
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: demo test lint long bench weights clean

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# One stamp for each set of packages: an environment that has them is reused.
$(VENV)/.core: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/pip install -q -c constraints.txt -e .
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(BIN)/python
	@sh tools/debian-packages.sh
	$(BIN)/pip install -q -c constraints.txt "torch"
	$(BIN)/pip install -q -c constraints.txt -e ".[train,explain,parquet,comet,mlflow,wandb,dev]"
	@touch $@ $(VENV)/.core

demo: $(VENV)/.core
	$(BIN)/python tools/demo.py

lint: $(VENV)/.test
	$(BIN)/ruff format --check src tests benchmarks tools
	$(BIN)/ruff check src tests benchmarks tools
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/pytest -n 2 --dist worksteal -m "not long"

long: $(VENV)/.test
	$(BIN)/pytest -m long
	$(BIN)/pytest -n 2 --dist worksteal -m "hypothesis and not long" --hypothesis-profile explore

# Speed and memory, into benchmarks/README.md; on a quiet machine.
bench: $(VENV)/.test
	$(BIN)/python benchmarks/report.py

weights: $(VENV)/.test
	$(BIN)/python tools/weights/make.py build/weights

clean:
	rm -rf build dist demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
