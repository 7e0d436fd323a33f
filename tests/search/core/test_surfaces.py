"""A surface is summed up: how far it is until the loss has doubled, and where it is convex."""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from search.core.analyses import Analysis, Question
from search.core.findings import lines, table, title, told
from search.core.surfaces import summary


def surface(loss: Callable[..., float], dimensions: int = 1, steps: int = 21) -> Analysis:
    """Return the analysis of a function of x, or of x and y."""
    along = [2 * step / (steps - 1) - 1 for step in range(steps)]
    places: list[tuple[float, float | None]] = [(x, None) for x in along]
    if dimensions == 2:
        places = [(x, y) for y in along for x in along]
    rows: list[dict[str, Any]] = [{"what": "network", "network": "whole", "params": 9, "epochs": 1, "note": None}]
    for x, y in places:
        value = loss(x) if y is None else loss(x, y)
        finite = math.isfinite(value)
        told_of = {"loss": value, "note": None} if finite else {"loss": None, "note": str(value)}
        rows.append({"what": "point", "network": "whole", "x": x, "y": y, "error": 0.5, **told_of})
    settings = {"dimensions": dimensions, "span": 1.0, "statistics": "anew", "seed": 0, "of": "training"}
    question = Question(kind="surface", trials=(3,), settings=settings)
    return Analysis(question=question, rows=tuple(rows), at=datetime(2026, 1, 2, tzinfo=UTC), images=64)


def test_the_way_to_twice_the_loss_is_read_between_points_on_the_nearer_side() -> None:
    (found,) = summary(surface(lambda x: 1 + abs(x) * (2 if x < 0 else 1)))
    assert found["loss"] == found["least"] == 1
    assert found["doubles"] == pytest.approx(0.5)
    assert found["rises"] == pytest.approx(0.5)


def test_a_loss_that_stays_below_has_no_such_way_and_it_is_said_that_it_is_over_the_span() -> None:
    found = surface(lambda x: 5 + 0.1 * x**2)
    assert summary(found)[0]["doubles"] is None
    assert any("doubled over 1 away" in line for line in lines(found))


def test_no_two_places_are_written_alike() -> None:
    wide, small = surface(lambda x: 1 + x**2), surface(lambda x: 1 + x**2)
    rows = [{**row, "x": 0.05 * row["x"]} if "x" in row else row for row in small.rows]
    for found, first in ((wide, "-1.00"), (replace(small, rows=tuple(rows)), "-0.050")):
        written = list(table(found).columns[0].cells)
        assert written[0] == first
        assert len(set(written)) == 21


def test_a_bowl_is_convex_and_a_wave_is_in_part() -> None:
    assert summary(surface(lambda x: 1 + x**2))[0]["convex"] == 1
    assert 0.3 < summary(surface(lambda x: 2 - math.cos(2 * math.pi * x)))[0]["convex"] < 0.7


def test_on_a_plane_a_saddle_curves_downwards_as_much_as_upwards() -> None:
    (bowl,), (saddle,) = (
        summary(surface(loss, 2, 11)) for loss in (lambda x, y: 1 + x * x + 2 * y * y, lambda x, y: 3 + x * y)
    )
    assert (bowl["convex"], bowl["negative"]) == (1, 0)
    assert saddle["convex"] == 0
    assert saddle["negative"] == pytest.approx(1)
    assert bowl["doubles"] == pytest.approx(0.8)  # the nearest point that is above


def test_a_point_that_is_not_finite_is_above_everything_and_counted() -> None:
    found = surface(lambda x: math.inf if x > 0.55 else 1.0)
    assert summary(found)[0]["not_finite"] == 5
    assert summary(found)[0]["doubles"] == pytest.approx(0.6)
    assert any("5 points are not finite" in line for line in lines(found))
    assert told("digits", found)["summary"][0]["not_finite"] == 5


def test_a_plane_has_a_row_for_each_y_and_a_column_for_each_x() -> None:
    shown = table(surface(lambda x, y: x + y, 2, 3))
    assert [column.header for column in shown.columns] == ["network", "y \\ x", "-1.00", "+0.00", "+1.00"]
    assert shown.row_count == 3


def test_a_network_that_could_not_be_trained_is_said() -> None:
    found = surface(lambda x: 1 + x * x)
    row = {"what": "network", "network": "plain", "note": "was not trained: the loss is nan in epoch 2"}
    both = Analysis(question=found.question, rows=(*found.rows, row), at=found.at)
    assert "plain: was not trained: the loss is nan in epoch 2" in list(lines(both))
    assert summary(both)[1]["loss"] is None
    assert table(both).row_count == 21


def test_the_trial_is_named_also_where_another_stands_beside_it_as_its_plain_network() -> None:
    found = surface(lambda x: 1 + x**2)
    beside = replace(found, question=replace(found.question, trials=(3, 5)))
    assert title(found) == title(beside) == "loss around the weights of trial 3"
    of_all = replace(found, question=replace(found.question, kind="marginals"))
    assert title(of_all) == "what each searched value buys at equal cost"
