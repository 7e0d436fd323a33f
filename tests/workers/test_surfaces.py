"""The loss is looked at around trained weights, in directions whose filters are as long as the network's."""

import math
from itertools import islice
from typing import Any

import pytest
import torch

from tests.workers.test_lesions import data as data  # a fixture
from tests.workers.test_lesions import trainer
from workers.datasets import Dataset
from workers.surfaces import LEFT, VALIDATION, Grid, Known, directions, surface
from workers.trainer import Trainer

pytestmark = pytest.mark.usefixtures("one_thread")


def grid(**changes: Any) -> Grid:
    return Grid(**{"dimensions": 1, "steps": 3, "span": 1.0, "seed": 0, "images": 1000, **changes})


@pytest.fixture(scope="module")
def trained(data: Dataset) -> Trainer:  # the fixture
    made, _ = trainer(data, depths=(1, 1, 1))
    return made


def test_each_filter_of_a_direction_is_as_long_as_the_networks_and_norms_stay(trained: Trainer) -> None:
    first, second = directions(trained.network, 0, 2)
    moved = {name: each for name, each in trained.network.named_parameters() if each.ndim > 1}
    assert first.keys() == second.keys() == moved.keys()
    for name, weight in moved.items():
        for direction in (first, second):
            assert torch.allclose(direction[name].flatten(1).norm(dim=1), weight.flatten(1).norm(dim=1), rtol=1e-4)
        assert not torch.equal(first[name], second[name])
    (alone,) = directions(trained.network, 0, 1)
    assert all(torch.equal(alone[name], first[name]) for name in moved)


def test_the_middle_is_what_the_study_measured_and_the_network_is_as_before(trained: Trainer) -> None:
    before = {name: each.clone() for name, each in trained.network.state_dict().items()}
    rows = list(surface(trained, grid(of=VALIDATION, statistics=LEFT), "whole"))
    assert [row["x"] for row in rows] == [-1, 0, 1]
    assert rows[1]["loss"] == pytest.approx(trained.history[-1].metrics["loss"], rel=1e-5)
    assert rows[1]["error"] == pytest.approx(1 - trained.history[-1].metrics["accuracy"])
    assert rows[0]["loss"] != rows[2]["loss"]
    assert all(torch.equal(each, before[name]) for name, each in trained.network.state_dict().items())


def test_measured_anew_the_statistics_undo_what_scale_a_filter_has(trained: Trainer) -> None:
    found = {}
    for statistics in ("anew", LEFT):
        anew = list(surface(trained, grid(statistics=statistics, steps=3, span=30.0), "whole"))
        found[statistics] = max(row["loss"] for row in anew)
    assert found["anew"] < found[LEFT]


def test_a_plane_holds_the_line_that_its_first_direction_is(trained: Trainer) -> None:
    line = list(surface(trained, grid(images=20), "whole"))
    plane = list(surface(trained, grid(images=20, dimensions=2), "whole"))
    assert len(plane) == 9
    assert [row["loss"] for row in plane if row["y"] == 0] == [row["loss"] for row in line]


def test_what_is_known_is_not_computed_again(trained: Trainer) -> None:
    rows = list(islice(surface(trained, grid(images=20), "whole"), 2))
    told = [{**row, "loss": -1.0} for row in rows]
    again = list(surface(trained, grid(images=20), "whole", Known.of(told)))
    assert [row["loss"] for row in again[:2]] == [-1.0, -1.0]
    assert again[2]["loss"] > 0
    assert next(surface(trained, grid(images=20), "plain", Known.of(told)))["loss"] > 0


def test_a_loss_that_is_not_finite_is_said_and_has_its_row(trained: Trainer) -> None:
    rows = list(surface(trained, grid(images=20, span=1e30, statistics=LEFT), "whole"))
    assert [row["loss"] is None for row in rows] == [True, False, True]
    assert {row["note"] for row in rows} <= {None, "nan", "inf"}
    assert math.isfinite(rows[1]["loss"])
