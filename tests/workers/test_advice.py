"""What is odd about data and recipe is said in a line each, and of ordinary data nothing is."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from workers.advice import advice
from workers.datasets import Dataset, load
from workers.recipe import Recipe
from workers.sources import DataSpec

ORDINARY = Recipe(epochs=20, batch_size=16)


@pytest.fixture
def make(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Give `make(labels, images=None)`: a data set of an archive with them."""

    def made(labels: Sequence[int], images: np.ndarray | None = None) -> Dataset:
        drawn = np.random.default_rng(0).integers(0, 256, (len(labels), 8, 8), dtype=np.uint8)
        np.savez(tmp_path / "a.npz", images=drawn if images is None else images, labels=np.array(labels))
        return load(DataSpec(name="npz", path=str(tmp_path / "a.npz")))

    return made


def test_of_ordinary_data_nothing_is_said(make) -> None:  # type: ignore[no-untyped-def]
    assert advice(make([0, 1] * 100), ORDINARY) == []


def test_images_that_came_out_alike_are_said(make) -> None:  # type: ignore[no-untyped-def]
    (line,) = advice(make([0, 1] * 100, np.zeros((200, 8, 8), dtype=np.uint8)), ORDINARY)
    assert line.startswith("all images are alike (all 0): is what tells them apart in their transparency")


def test_a_channel_that_is_the_same_everywhere_is_said(make) -> None:  # type: ignore[no-untyped-def]
    images = np.random.default_rng(0).integers(0, 256, (200, 5, 8, 8), dtype=np.uint8)
    images[:, 3] = 255
    assert advice(make([0, 1] * 100, images), ORDINARY) == [
        "channel 3 of 5, from 0, is the same in all images: it tells nothing"
    ]


def test_a_class_of_few_images_is_named(make) -> None:  # type: ignore[no-untyped-def]
    (line,) = advice(make([0] * 50 + [1] * 50 + [2] * 5), Recipe(epochs=40, batch_size=16, balance="weights"))
    assert line == "class '2' has 4 training images: too few to be learned"


def test_one_class_that_has_nearly_all_is_said(make) -> None:  # type: ignore[no-untyped-def]
    assert "class '0' has 98% of the images: accuracy says little" in advice(make([0] * 900 + [1] * 20), ORDINARY)


def test_very_unequal_classes_are_said_where_nothing_balances_them(make) -> None:  # type: ignore[no-untyped-def]
    told = (
        "class '1' has 2,000 training images and class '0' 199, and nothing balances them: recipe.balance can be "
        "weights or sampling"
    )
    assert advice(make([0] * 249 + [1] * 2500 + [2] * 300), ORDINARY) == [told]
    assert advice(make([0] * 250 + [1] * 2500 + [2] * 300), ORDINARY) == []  # 10 times, not more
    for balance in ("weights", "sampling"):
        assert advice(make([0] * 249 + [1] * 2500), Recipe(epochs=20, batch_size=16, balance=balance)) == []


def test_a_class_that_a_fold_left_without_images_is_not_the_smallest(make) -> None:  # type: ignore[no-untyped-def]
    data = make([0, 1, 2] * 100)
    kept = data.train_labels != 1
    without = replace(data, train_images=data.train_images[kept], train_labels=data.train_labels[kept])
    assert not any("balances" in line for line in advice(without, ORDINARY))


def test_labels_that_hardly_repeat_are_doubted(make) -> None:  # type: ignore[no-untyped-def]
    lines = advice(make([number // 2 for number in range(200)]), ORDINARY)
    assert "100 classes for 100 training images: are these labels?" in lines


def test_a_training_of_few_steps_is_said(make) -> None:  # type: ignore[no-untyped-def]
    lines = advice(make([0, 1] * 50), Recipe(epochs=9, batch_size=64))
    assert lines[0].startswith("a full training is 9 steps (80 images, batches of 64, 9 epochs): too few to learn from")


def test_a_batch_that_leaves_much_of_an_epoch_out_is_said(make) -> None:  # type: ignore[no-untyped-def]
    lines = advice(make([0, 1] * 100), Recipe(epochs=100, batch_size=100))
    assert lines == ["batches of 100 leave 60 of 160 images out of each epoch"]


def shared(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 8, 8), dtype=np.uint8)


def split(
    path: Path, images: np.ndarray, labels: Sequence[object], measured: Sequence[int], **parts: object
) -> Dataset:
    """Return a data set whose validation part is some of its images."""
    held = {"val_images": images[list(measured)], "val_labels": np.array(labels)[list(measured)], **parts}
    np.savez(path / "b.npz", images=images, labels=np.array(labels), **held)
    return load(DataSpec(name="npz", path=str(path / "b.npz")))


def test_validation_images_that_are_trained_on_are_counted(tmp_path: Path) -> None:
    data = split(tmp_path, shared(200), [0, 1] * 100, [7, 3, 190])
    assert advice(data, ORDINARY) == [
        "3 of 3 validation images are also among the training images (the first is image 0, training image 7, from 0): "
        "accuracy is told too high"
    ]


def test_validation_images_that_stand_there_twice_are_counted(tmp_path: Path) -> None:
    images = shared(210)
    parts = {"val_images": images[[200, 201, 200, 202, 200]], "val_labels": np.array([0, 1, 0, 0, 0])}
    assert advice(split(tmp_path, images[:200], [0, 1] * 100, [], **parts), ORDINARY) == [
        "2 of 5 validation images are there more than once (the first is image 2, as image 0): they count as often"
    ]


def test_equal_images_of_other_classes_are_counted(tmp_path: Path) -> None:
    images = shared(202)
    images[3] = images[10]
    parts = {"val_images": images[[10, 200, 201]], "val_labels": np.array(["\x1bdog", "cat", "cat"])}
    lines = advice(split(tmp_path, images[:200], ["cat", "\x1bdog"] * 100, [], **parts), ORDINARY)
    assert lines == [
        "1 of 3 validation images is also among the training images (the first is image 0, training image 3, from 0): "
        "accuracy is told too high",
        "3 images are equal to others of another class, such as training image 3 ('\\x1bdog') and training "
        "image 10 ('cat')",
    ]


def test_the_test_split_is_not_looked_at(tmp_path: Path) -> None:
    images = shared(210)
    tested = {"test_images": images[:50], "test_labels": np.array([0, 1] * 25)}
    measured = {"val_images": images[200:], "val_labels": np.array([0, 1] * 5)}
    assert advice(split(tmp_path, images[:200], [0, 1] * 100, [], **measured, **tested), ORDINARY) == []


def test_a_rate_of_sgd_is_high_for_adamw(make) -> None:  # type: ignore[no-untyped-def]
    data = make([0, 1] * 100)
    (line,) = advice(data, replace(ORDINARY, optimizer="adamw"))
    assert line == "recipe.learning_rate 0.1 is high for adamw: 0.001 is usual"
    assert advice(data, replace(ORDINARY, optimizer="adamw", learning_rate=0.001)) == []
