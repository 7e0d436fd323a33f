# Everything a person types. `make search` and `make test` need Python 3.11 or later and nothing else.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: search test fast test-slow lint gpu audit benchmark clean

search: .venv/installed
	$(BIN)/python -m search.launch space.yaml

# Two at once, but for what watches the memory of the whole machine.
test: lint
	PYTHONHASHSEED=0 $(BIN)/pytest -n 2 -m "not cluster and not gpu and not very_slow"
	PYTHONHASHSEED=0 $(BIN)/pytest -n 2 --dist worksteal -m "cluster and not alone and not gpu and not very_slow"
	$(BIN)/pytest -m "alone and not gpu and not very_slow"

fast: .venv/installed
	PYTHONHASHSEED=0 $(BIN)/pytest -n 2 -m "not slow and not cluster and not gpu and not very_slow" -q

test-slow: .venv/installed
	$(BIN)/pytest -m very_slow

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Fails where a pin has a known weakness, and where the database of weaknesses does not know or cannot be asked for one.
audit: .venv/installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[audit]"
	$(BIN)/pip-audit --strict --requirement constraints.txt --no-deps --disable-pip --progress-spinner off

# What samplers and schedulers find on recorded trainings, by simulated time: the table in README.md.
benchmark: .venv/installed
	for workers in 1 8; do $(BIN)/python -m search.simulate tests/benchmarks/digits.yaml \
		--table tests/benchmarks/digits.csv.gz --seeds 20 --workers $$workers \
		--compare auto,auto+fifo,auto+pareto-asha,random+fifo,random,random+asha,tpe+asha,nsga2+asha || exit; done

gpu: .venv/installed
	$(BIN)/pytest -m gpu

# The stamp makes a changed pin or dependency install itself at the next target.
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or later is needed: make PYTHON=python3.12')"
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[test]"
	touch $@

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
