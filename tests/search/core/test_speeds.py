"""Times of rounds become ratios to the first network, as sure as the rounds agree."""

from datetime import UTC, datetime
from typing import Any

import pytest

from search.core.analyses import Analysis, Question
from search.core.findings import lines, table
from search.core.speeds import summary


def speed(*times: tuple[str, list[float]]) -> Analysis:
    """Return the analysis of networks by the milliseconds of each round."""
    rows: list[dict[str, Any]] = [
        {"what": "network", "network": name, "params": 10, "macs": 20, "batch": 64, "steps": 50, "peak_bytes": None}
        for name, _ in times
    ]
    rows += [
        {"what": "round", "network": name, "round": number, "step_ms": each, "inference_ms": each / 4}
        for name, rounds in times for number, each in enumerate(rounds)
    ]  # fmt: skip
    settings = {"batch": 64, "rounds": 3, "threads": 1, "host": "here"}
    question = Question(kind="speed", trials=(), settings=settings)
    return Analysis(question=question, rows=tuple(rows), at=datetime(2026, 1, 2, tzinfo=UTC))


def test_what_slows_a_round_slows_both_and_leaves_their_ratio() -> None:
    first, second = summary(speed(("a", [10, 100, 30]), ("b", [21, 198, 60])))
    assert first["step_ratio"] is None
    assert second["step_ratio"] == pytest.approx(2.0, rel=0.02)
    assert 1.8 < second["step_low"] < 2 < second["step_high"] < 2.2
    assert second["step_ms"] == 60
    assert second["epoch_s"] == pytest.approx(3.0)


def test_rounds_that_disagree_have_a_wide_interval_and_equal_ones_none() -> None:
    _, wide, equal = summary(speed(("a", [10, 10, 10]), ("b", [5, 20, 10]), ("c", [20, 20, 20])))
    assert wide["step_low"] < 0.5
    assert wide["step_high"] > 2
    assert (equal["step_ratio"], equal["step_low"]) == (pytest.approx(2), None)


def test_the_table_has_a_row_for_each_network_and_says_on_what_it_was_timed() -> None:
    found = speed(("a", [1, 2, 1]), ("b", [1, 1, 3]))
    assert table(found).row_count == 2
    assert "batches of 64 images on here with 1 thread" in next(iter(lines(found)))
