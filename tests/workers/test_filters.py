"""What the first convolution has learned is told by what it resembles."""

import math

import pytest
import torch

from workers.filters import filters, gabor


def wave(degrees: float, frequency: float, *, window: float = 3.5, side: int = 7, phase: float = 0.7) -> torch.Tensor:
    """Return a Gabor filter `k k` of some phase."""
    even, odd = gabor(side, math.radians(degrees), frequency, window)
    return (math.cos(phase) * even + math.sin(phase) * odd).reshape(side, side)


@pytest.mark.parametrize(("degrees", "frequency"), [(0, 0.25), (30, 0.2), (90, 0.3), (135, 0.15)])
def test_a_gabor_filter_is_found_out(degrees: float, frequency: float) -> None:
    weight = torch.stack([wave(degrees, frequency), torch.rand(7, 7)])[:, None]
    row = next(row for row in filters(weight) if row["what"] == "channel")
    assert row["orientation_deg"] == pytest.approx(degrees)
    assert row["frequency"] == pytest.approx(frequency)
    assert row["window_px"] == pytest.approx(3.5)
    assert row["explained"] == pytest.approx(1)


def test_colours_may_have_different_weights_and_phases() -> None:
    weight = torch.stack([wave(45, 0.2), -2 * wave(45, 0.2, phase=2), torch.zeros(7, 7)])[None]
    _, row = filters(weight)
    assert (row["orientation_deg"], row["frequency"]) == (pytest.approx(45), pytest.approx(0.2))
    assert row["explained"] == pytest.approx(1)
    assert row["nearest"] is None
    assert row["opposite"] is None


def test_a_blob_has_no_orientation_and_a_dead_filter_nothing() -> None:
    bell = gabor(5, 0.0, 0.0, 2.5)[0].reshape(5, 5)
    rows = [row for row in filters(torch.stack([bell, torch.zeros(5, 5)])[:, None]) if row["what"] == "channel"]
    assert rows[0]["orientation_deg"] is None
    assert (rows[0]["frequency"], rows[0]["explained"]) == (0, pytest.approx(1))
    assert rows[1]["explained"] is None


def test_copies_and_negatives_are_told_as_pairs() -> None:
    one, other = torch.randn(2, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    rows = list(filters(torch.stack([one, other, 3 * one, -one])))
    pairs = {(row["channel"], row["other"]): row["cosine"] for row in rows if row["what"] == "pair"}
    assert pairs == {(0, 2): pytest.approx(1), (0, 3): pytest.approx(-1), (2, 3): pytest.approx(-1)}
    first = next(row for row in rows if row["what"] == "channel")
    assert (first["nearest"], first["opposite"]) == (2, 3)


def test_random_filters_are_explained_as_chance_tells() -> None:
    weight = torch.randn(100, 1, 5, 5, generator=torch.Generator().manual_seed(9))
    chance, *rows = filters(weight)
    shares = [row["explained"] for row in rows if row["what"] == "channel"]
    assert sorted(shares)[50] == pytest.approx(chance["explained"], abs=0.05)
    assert sum(share > chance["explained_95"] for share in shares) <= 15


def test_weights_are_kept_to_be_seen_of_colours_each_and_else_their_mean() -> None:
    weight = torch.arange(1, 28.0).reshape(1, 3, 3, 3) / 7
    (row,) = (row for row in filters(weight) if row["what"] == "channel")
    assert row["channels"] == 3
    assert row["weight"][2][2] == pytest.approx([25 / 7, 26 / 7, 27 / 7], rel=5e-3)
    (row,) = (row for row in filters(weight[:, :2]) if row["what"] == "channel")
    assert row["channels"] == 2
    assert row["weight"][0][1] == pytest.approx([8.5 / 7, 9.5 / 7, 10.5 / 7], rel=5e-3)
