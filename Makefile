# Everything a person types. `make search` and `make test` need Python 3.11 or later and nothing else.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: search test extras fast test-slow lint gpu audit benchmark benchmark-gpu benchmark-speed claims peers pictures clean

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

# Seconds from the command to the front, beside scripts that people write today and, with BASE=revision, another version;
# writes docs/speed.md. An hour and a half on two cores with nothing else running; broken off, it goes on. SEEDS=10
# ONLY=here,base,search,digits: that two versions find equal fronts. IMAGES=folder of Fashion-MNIST, where not Debian's.
benchmark-speed: .venv/installed
	$(BIN)/python -m tests.benchmarks.speed.run --page docs/speed.md $(if $(SEEDS),--seeds $(SEEDS)) \
		$(if $(BASE),--base $(BASE)) $(if $(ONLY),--only $(ONLY)) $(if $(IMAGES),--images $(IMAGES))

# Claims of the literature on digits: docs/claims.md. Ctrl-C at any moment; the same goes on.
claims: .venv/installed
	$(BIN)/python -m search.claims run --storage sqlite:///claims.db --seeds 4 --epochs 5 --threads 1
	$(BIN)/python -m search.claims show --storage sqlite:///claims.db --markdown docs/claims.md --made-by "make claims"
	$(BIN)/python -m dashboards.verdicts sqlite:///claims.db -o claims.html

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

# Ten minutes at most on a machine with a GPU; where there is no .venv, torch and numpy are enough.
benchmark-gpu:
	$(or $(wildcard $(BIN)/python),$(PYTHON)) -m tests.benchmarks.gpu --write docs/speed-gpu.md

# The stamp makes a changed pin or dependency install itself at the next target.
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or later is needed: make PYTHON=python3.12')"
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[test]"
	touch $@

clean:
	rm -rf .venv .venv-peers build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
