"""Hold counting to its time. `pytest -s` on this file tells how long it took: n, median and all."""

import csv
import random
import statistics
import time
from pathlib import Path

import pytest

from search.config.study import load
from spaces.architecture import ImageSpec
from spaces.counting import cost
from spaces.errors import InfeasibleArchitecture
from spaces.names import named
from spaces.space import RandomTrial

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


def test_a_named_network_is_counted_in_50_ms() -> None:
    rows = csv.DictReader((ROOT / "tests" / "golden" / "counts.csv").read_text(encoding="utf-8").splitlines())
    took_ms = []
    for name in sorted({row["network"] for row in rows}):
        known = named(name)
        began = time.perf_counter()
        cost(known.architecture, known.image, batch=77)  # of which nothing is remembered yet
        took_ms.append(1000 * (time.perf_counter() - began))
    median = statistics.median(took_ms)
    print(f"\n{len(took_ms)} named networks: {median:.1f} ms in the median, {max(took_ms):.0f} ms at most")
    assert median <= 50


def test_ten_thousand_candidates_are_screened_in_a_minute() -> None:
    config, image = load(ROOT / "space.yaml", []), ImageSpec(channels=1, height=8, width=8)
    trial, refused = RandomTrial(random.Random(3)), 0
    began = time.perf_counter()
    for _ in range(10_000):
        try:
            architecture = config.search_space.architecture(config.search_space.suggest(trial))
            refused += any(excess > 0 for excess in config.violations(cost(architecture, image)).values())
        except InfeasibleArchitecture:
            refused += 1
    took_s = time.perf_counter() - began
    print(f"\n10,000 candidates of space.yaml: {took_s:.1f} s, {refused:,} refused")
    assert took_s < 60
    assert 0 < refused < 10_000
