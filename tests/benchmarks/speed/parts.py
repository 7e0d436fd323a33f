"""Tell how fast counting, screening, proposing and simulating are here: n, medians and all.

python -m tests.benchmarks.speed.parts
"""

import csv
import itertools
import random
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna

from search.config.study import StudyConfig, load
from search.samplers.catalogue import SpaceCatalogue, coordinate
from search.samplers.front_sampler import FrontSampler
from search.samplers.registry import distributions
from spaces.architecture import ImageSpec
from spaces.counting import cost
from spaces.domains import Scalar
from spaces.errors import InfeasibleArchitecture
from spaces.names import named
from spaces.space import RandomTrial
from workers.device import choose_device, fingerprint
from workers.objectives import OBJECTIVES

ROOT = Path(__file__).resolve().parents[3]
IMAGE = ImageSpec(channels=1, height=8, width=8)
CANDIDATES, TRIALS, PROPOSALS = 10_000, 1_000, 15


@contextmanager
def timed(into: list[float]) -> Iterator[None]:
    """Append how many milliseconds the block took."""
    began = time.perf_counter()
    yield
    into.append(1000 * (time.perf_counter() - began))


def counting() -> str:
    """Count every named network, none of whose blocks is remembered yet."""
    rows = csv.DictReader((ROOT / "tests" / "golden" / "counts.csv").read_text(encoding="utf-8").splitlines())
    took = list[float]()
    for name in sorted({row["network"] for row in rows}):
        known = named(name)
        with timed(took):
            cost(known.architecture, known.image, batch=77)
    return f"counting: {len(took)} named networks, {statistics.median(took):.1f} ms in the median, {max(took):.0f} most"


def screening() -> str:
    """Draw candidates of space.yaml, count them and check its constraints."""
    config = load(ROOT / "space.yaml", [])
    trial, refused, took = RandomTrial(random.Random(3)), 0, list[float]()
    with timed(took):
        for _ in range(CANDIDATES):
            try:
                architecture = config.search_space.architecture(config.search_space.suggest(trial))
                refused += any(excess > 0 for excess in config.violations(cost(architecture, IMAGE)).values())
            except InfeasibleArchitecture:
                refused += 1
    return f"screening: {CANDIDATES:,} candidates of space.yaml in {took[0] / 1000:.1f} s, {refused:,} refused"


def proposing() -> str:
    """Ask the default sampler among a thousand trials."""
    config = load(ROOT / "space.yaml", [])
    catalogue = SpaceCatalogue(config.search_space, IMAGE, config.violations)
    known, rng, took = (None, coordinate(OBJECTIVES["macs"])), random.Random(0), list[float]()
    sampler = FrontSampler(catalogue, distributions(catalogue.parameters), known, 0)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    axes = distributions(catalogue.parameters)
    for params, macs in itertools.islice(_networks(config, rng), TRIALS):
        values = [1 - 2 / macs**0.25 + rng.gauss(0, 0.003), macs]
        chosen = {name: axes[name] for name in params}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=chosen, values=values))
    for _ in range(PROPOSALS):
        with timed(took):
            trial = study.ask()
            params = config.search_space.suggest(trial)
        macs = catalogue.describe(params).cost.macs
        study.tell(trial, [1 - 2 / macs**0.25, macs])
    median, after = statistics.median(took[1:]), f"among {TRIALS:,} trials ({took[0]:.0f} at first)"
    return f"proposing: {median:.0f} ms in the median of {len(took) - 1}, {after}"


def _networks(config: StudyConfig, rng: random.Random) -> Iterator[tuple[dict[str, Scalar], int]]:
    while True:
        params = config.search_space.suggest(RandomTrial(rng))
        try:
            yield params, cost(config.search_space.architecture(params), IMAGE).macs
        except InfeasibleArchitecture:
            continue


def main() -> None:
    """Print it."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    print(", ".join(f"{name} {value}" for name, value in fingerprint(choose_device("cpu")).items()))
    for measured in (counting, screening, proposing):
        print(measured())


if __name__ == "__main__":
    main()
