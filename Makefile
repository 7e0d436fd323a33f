# Everything a person types. `make search` and `make test` need Python 3.11 or later and nothing else.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: search test extras fast test-slow lint gpu audit benchmark peers pictures clean

search: .venv/installed
	$(BIN)/python -m search.launch space.yaml

# Three quarters of an hour on two cores; a stage that fails keeps none from running. BARE=1: as if nothing but README's were here.
test: .venv/installed
	PYTHONHASHSEED=0 $(BIN)/python -m tests.stages $(if $(BARE),--bare)

# The tests that use Chromium and Debian's Fashion-MNIST.
extras: .venv/installed
	PYTHONHASHSEED=0 $(BIN)/python -m tests.stages --extras

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

# What samplers and schedulers find on recorded trainings, by simulated time, and how often intervals of confirmed
# networks hold (TABLES=folder for other tables): docs/benchmarks.md.
benchmark: .venv/installed
	for workers in 1 8; do $(BIN)/python -m search.simulate tests/benchmarks/digits.yaml \
		--table tests/benchmarks/digits.csv.gz --seeds 20 --workers $$workers \
		--compare auto,auto+fifo,auto+pareto-asha,random+fifo,random,random+asha,tpe+asha,nsga2+asha || exit; done

	$(BIN)/python -m tests.benchmarks.calibration $(TABLES)

# The same trainings beside what people use today, in an environment of its own; NePS needs yet another one.
peers:
	test -d .venv-peers || $(PYTHON) -m venv .venv-peers
	.venv-peers/bin/pip install --quiet -c constraints.txt -e . -r tests/benchmarks/peers/requirements.txt
	for given in "20 auto+auto,auto+fifo" "20 optuna-random,optuna-tpe,optuna-tpe-multivariate,optuna-nsga2-20" \
		"20 ray-optuna-asha3,ray-optuna-asha4,syne-tune-moasha,syne-tune-moasha-ranked" \
		"5 optuna-gp,botorch-qlognehvi"; do set -- $$given; .venv-peers/bin/python -m tests.benchmarks.peers.run \
		tests/benchmarks/digits.yaml --table tests/benchmarks/digits.csv.gz --seeds $$1 --peers $$2 || exit; done

# README's: runs space.yaml in a folder of its own and looks at it with Chromium.
pictures: .venv/installed
	$(BIN)/python -m tests.benchmarks.pictures docs

gpu: .venv/installed
	$(BIN)/pytest -m gpu

# The stamp makes a changed pin or dependency install itself at the next target.
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or later is needed: make PYTHON=python3.12')"
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[test]"
	touch $@

clean:
	rm -rf .venv .venv-peers build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
