"""What is read off a trained network is about its parts, and leaves it as it was."""

from typing import Any

import pytest
import torch

from spaces.architecture import Architecture
from spaces.errors import InputError
from spaces.names import asked
from workers.datasets import Dataset, load
from workers.readings import READINGS, reading
from workers.recipe import Recipe
from workers.sources import DataSpec
from workers.trainer import Trainer, TrialSpec

pytestmark = pytest.mark.usefixtures("one_thread")
SPEC = DataSpec(name="digits", limit=200)
SMALL: dict[str, Any] = {"depths": (3, 2, 1), "widening_factor": 0.25}


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load(SPEC)


def trainer(data: Dataset, epochs: int = 0, **fields: Any) -> Trainer:
    architecture = Architecture(**{**SMALL, **fields})
    made = Trainer(TrialSpec(architecture=architecture, recipe=Recipe(epochs=4), data=SPEC, seed=0), data)
    for _ in range(epochs):
        made.run_epoch()
    return made


@pytest.mark.parametrize("name", [name for name in READINGS if name != "deepest"])
def test_a_reading_leaves_the_network_as_it_was(data: Dataset, name: str) -> None:
    made = trainer(data)
    before, images = made.predicted(), made.data
    reading(name, made)
    assert torch.equal(made.predicted(), before)
    assert made.data is images


@pytest.mark.slow
def test_a_plain_network_loses_more_by_a_block_than_a_residual_one(data: Dataset) -> None:
    plain, residual = (
        reading("skip", trainer(data, 4, shortcut=shortcut, widening_factor=1, depths=(3, 3, 3)))
        for shortcut in ("none", "A")
    )
    assert plain > residual + 0.2


def test_a_block_that_adds_nothing_is_not_missed(data: Dataset) -> None:
    made = trainer(data, block="preact")
    with torch.no_grad():
        for stage, block in ((0, 1), (0, 2), (1, 1)):  # those that keep the shape
            for parameter in made.network.stages[stage][block].parameters():  # type: ignore[index, union-attr]
                parameter.zero_()
    assert reading("skip", made) == reading("swap", made) == 0


def test_the_error_on_the_training_images_is_that_of_these(data: Dataset) -> None:
    made = trainer(data, 1)
    known = made.data.val_labels
    found = reading("train_error", made)
    assert found * len(made.data.train_labels) == pytest.approx(round(found * len(made.data.train_labels)))
    assert made.data.val_labels is known


@pytest.mark.parametrize("columns", [1, 2])
def test_the_deepest_column_stands_alone_with_statistics_of_its_own(data: Dataset, columns: int) -> None:
    fields = ("depths=1,1", "widths=8,16", "strides=1,2", f"columns={columns}")
    architecture = asked("fractalnet-20", fields).architecture
    made = Trainer(TrialSpec(architecture=architecture, recipe=Recipe(epochs=1), data=SPEC, seed=0), data)
    made.run_epoch()
    before = made.predicted()
    found = reading("deepest", made)
    assert found == 0 if columns == 1 else -1 <= found <= 1  # one column is the whole network
    assert torch.equal(made.predicted(), before)


@pytest.mark.parametrize(
    ("name", "fields", "told"),
    [
        ("skip", {"depths": (1, 1, 1), "widths": (8, 16, 32), "stem_width": 4, "widening_factor": 1}, "has not got"),
        ("swap", {"depths": (1, 1, 1)}, "two neighbouring blocks"),
        ("shape_excess", {"shortcut": "none"}, "has not got"),
        ("deepest", {}, "has no columns"),
    ],
)
def test_what_a_network_has_not_got_is_said(data: Dataset, name: str, fields: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        reading(name, trainer(data, **fields))
