"""Trained weights are measured on the test split as they were on validation images, and nothing else is."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from spaces.architecture import Architecture
from spaces.errors import StudyError
from workers.datasets import load, load_test
from workers.recipe import Recipe
from workers.sources import DataSpec
from workers.testing import _tested, measure_test
from workers.trainer import TrialSpec, train

DIGITS = DataSpec(name="digits", limit=200)
SPEC = TrialSpec(
    architecture=Architecture(depths=(1, 1, 1), widening_factor=0.25, dropout="between", dropout_rate=0.2),
    recipe=Recipe(epochs=2, batch_size=32), data=DIGITS, seed=3, measures=("balanced_accuracy",),
)  # fmt: skip


@pytest.fixture(autouse=True)
def unread() -> None:
    """Let each test read the data anew: a worker's process keeps them."""
    _tested.cache_clear()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the checkpoint of a training."""
    path = tmp_path_factory.mktemp("weights") / "0.pt"
    list(train(SPEC, load(DIGITS), checkpoint_path=path))
    return path


def test_a_test_measures_as_training_did(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the validation images, put in the place of the test split, it finds what the training found."""
    data = load(DIGITS)
    monkeypatch.setattr("workers.testing.load_test", lambda _spec: (data.val_images, data.val_labels))
    found = measure_test(SPEC, str(trained))
    (*_, last) = train(SPEC, data, checkpoint_path=trained)
    assert found == {name: pytest.approx(last.get(name)) for name in ("accuracy", "loss", "balanced_accuracy")}


def test_a_test_is_of_the_test_split(trained: Path) -> None:
    _, labels = load_test(DIGITS)
    found = measure_test(SPEC, str(trained))
    assert (found["accuracy"] * len(labels)) % 1 == pytest.approx(0, abs=1e-3)
    assert found == measure_test(SPEC, str(trained))


@pytest.mark.parametrize("other", [replace(SPEC, seed=4), replace(SPEC, recipe=Recipe(epochs=3, batch_size=32))])
def test_weights_of_another_training_are_refused(trained: Path, other: TrialSpec) -> None:
    with pytest.raises(StudyError, match="does not hold the weights of this training"):
        measure_test(other, str(trained))


def test_weights_that_are_gone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="does not hold"):
        measure_test(SPEC, str(tmp_path / "none.pt"))


def test_the_data_are_read_once_for_all_weights_of_a_process(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[DataSpec] = []

    def reading(spec: DataSpec) -> tuple[torch.Tensor, torch.Tensor]:
        read.append(spec)
        return load_test(spec)

    monkeypatch.setattr("workers.testing.load_test", reading)
    assert measure_test(SPEC, str(trained)) == measure_test(SPEC, str(trained))
    assert len(read) == 1
