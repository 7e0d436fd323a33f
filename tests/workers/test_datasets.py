"""Test `workers.datasets`: every data set keeps one contract, and its test split is left alone."""

import json
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from spaces.architecture import ImageSpec
from spaces.errors import InputError
from workers.augment import Augment
from workers.datasets import Dataset, load, load_test
from workers.dataspec import data_spec
from workers.sources import DATASETS, DataSpec

CLASSES, EACH = 4, 5  # of the data sets made here; each class has that many training images, and one test image


def pixels(part: str, *shape: int) -> NDArray[np.uint8]:
    return np.random.RandomState(len(part)).randint(0, 256, shape, dtype=np.uint8)


def labels(part: str) -> NDArray[np.int64]:
    return np.tile(np.arange(CLASSES), EACH if part == "train" else 1)


def write_idx(path: Path, values: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    header = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    path.write_bytes(header + values.tobytes())


def idx_files(folder: Path) -> None:
    for part, name in (("train", "train"), ("test", "t10k")):
        write_idx(folder / f"{name}-images-idx3-ubyte", pixels(part, len(labels(part)), 28, 28))
        write_idx(folder / f"{name}-labels-idx1-ubyte", labels(part).astype(np.uint8))


def fashion(root: Path) -> DataSpec:
    idx_files(root)
    return DataSpec(name="fashion-mnist", root=str(root))


def torchvision(root: Path) -> DataSpec:
    idx_files(root / "MNIST" / "raw")
    return DataSpec(name="torchvision", dataset="MNIST", root=str(root))


def folder(root: Path) -> DataSpec:
    for part in ("train", "test"):
        for index, label in enumerate(labels(part)):
            path = root / part / f"class-{label}" / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels(part, len(labels(part)), 6, 9, 3)[index]).save(path)
    return DataSpec(name="folder", path=str(root))


def npz(root: Path, **arrays: Any) -> DataSpec:
    held: dict[str, Any] = {}
    for part, prefix in (("train", ""), ("test", "test_")):
        held[f"{prefix}images"] = pixels(part, len(labels(part)), 3, 6, 9)
        held[f"{prefix}labels"] = labels(part)
    np.savez(root / "set.npz", **{**held, **arrays})
    return DataSpec(name="npz", path=str(root / "set.npz"))


MADE: dict[str, Callable[[Path], DataSpec]] = {
    "fashion-mnist": fashion,
    "torchvision": torchvision,
    "folder": folder,
    "npz": npz,
}


def example(name: str, root: Path) -> DataSpec:
    return MADE[name](root) if name in MADE else DataSpec(name=name)


def rows(images: torch.Tensor) -> list[bytes]:
    return [image.numpy().tobytes() for image in images]


every_data_set = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name == "torchvision" else name for name in DATASETS]
)


@every_data_set
def test_images_are_bytes_and_labels_are_whole_numbers(name: str, tmp_path: Path) -> None:
    data = load(example(name, tmp_path))
    for images, classes in ((data.train_images, data.train_labels), (data.val_images, data.val_labels)):
        assert (images.dtype, classes.dtype) == (torch.uint8, torch.int64)
        assert images.ndim == 4
        assert images.is_contiguous()
        assert classes.shape == (len(images),)
        assert len(images) > 0
        assert 0 <= int(classes.min()) <= int(classes.max()) < data.classes
    assert data.train_images.shape[1:] == data.val_images.shape[1:]
    assert len(data.class_names) == data.classes


@every_data_set
def test_the_image_says_what_a_network_reads(name: str, tmp_path: Path) -> None:
    data = load(example(name, tmp_path))
    _, c, h, w = data.train_images.shape
    assert data.image == ImageSpec(channels=c, height=h, width=w, classes=data.classes)


@every_data_set
def test_every_class_of_the_training_images_is_measured_on(name: str, tmp_path: Path) -> None:
    data = load(example(name, tmp_path))
    assert set(data.train_labels.tolist()) == set(data.val_labels.tolist())


@every_data_set
def test_the_mean_and_deviation_are_those_of_the_training_part(name: str, tmp_path: Path) -> None:
    data = load(example(name, tmp_path))
    scaled = data.train_images.double() / 255
    assert torch.allclose(data.mean.double(), scaled.mean(dim=(0, 2, 3)), atol=1e-6)
    assert torch.allclose(data.std.double(), scaled.std(dim=(0, 2, 3), correction=0), atol=1e-6)
    assert data.mean.dtype == data.std.dtype == torch.float32


@every_data_set
def test_a_data_set_is_loaded_alike_from_what_travelled(name: str, tmp_path: Path) -> None:
    spec = example(name, tmp_path)
    travelled = DataSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert load(travelled).fingerprint == load(spec).fingerprint


@every_data_set
def test_the_test_split_looks_the_same_and_shares_no_image(name: str, tmp_path: Path) -> None:
    spec = example(name, tmp_path)
    data, (images, classes) = load(spec), load_test(spec)
    assert (images.dtype, classes.dtype, len(images)) == (torch.uint8, torch.int64, len(classes))
    assert images.shape[1:] == data.train_images.shape[1:]
    assert int(classes.max()) < data.classes
    assert not set(rows(images)) & {*rows(data.train_images), *rows(data.val_images)}


@every_data_set
def test_another_split_seed_measures_on_other_images(name: str, tmp_path: Path) -> None:
    spec = example(name, tmp_path)
    data, other = load(spec), load(replace(spec, split_seed=1))
    assert rows(data.val_images) != rows(other.val_images)
    assert sorted(rows(torch.cat([data.train_images, data.val_images]))) == sorted(
        rows(torch.cat([other.train_images, other.val_images]))
    )
    assert data.fingerprint != other.fingerprint


def test_training_and_validation_images_share_none_and_leave_none_out(tmp_path: Path) -> None:
    data = load(npz(tmp_path))
    assert (len(data.train_labels), len(data.val_labels)) == (16, 4)
    together = [*rows(data.train_images), *rows(data.val_images)]
    assert sorted(together) == sorted(image.tobytes() for image in pixels("train", 20, 3, 6, 9))


def test_labels_stay_with_their_images(tmp_path: Path) -> None:
    data = load(npz(tmp_path))
    known = dict(zip(rows(torch.from_numpy(pixels("train", 20, 3, 6, 9))), labels("train").tolist(), strict=True))
    for images, classes in ((data.train_images, data.train_labels), (data.val_images, data.val_labels)):
        assert [known[row] for row in rows(images)] == classes.tolist()


def test_training_never_opens_the_test_files(tmp_path: Path) -> None:
    fashion(tmp_path)
    for path in tmp_path.glob("t10k-*"):
        path.write_bytes(b"broken")
    assert load(DataSpec(name="fashion-mnist", root=str(tmp_path))).classes == 10
    broken = npz(tmp_path, test_images=np.full((4, 1, 1), np.nan))
    assert load(broken).classes == CLASSES
    with pytest.raises(InputError, match="not a finite number"):
        load_test(broken)


def test_fashion_mnist_is_found_where_torchvision_keeps_it_and_gzipped(tmp_path: Path) -> None:
    import gzip

    idx_files(tmp_path / "FashionMNIST" / "raw")
    data = load(DataSpec(name="fashion-mnist", root=str(tmp_path)))
    for path in (tmp_path / "FashionMNIST" / "raw").iterdir():
        (tmp_path / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert load(DataSpec(name="fashion-mnist", root=str(tmp_path))).fingerprint == data.fingerprint


def test_a_limit_leaves_fewer_training_images_and_the_same_validation(tmp_path: Path) -> None:
    spec = npz(tmp_path)
    whole, few = load(spec), load(replace(spec, limit=6))
    assert len(few.train_labels) == 6
    assert set(few.train_labels.tolist()) == set(range(CLASSES))
    assert set(rows(few.train_images)) <= set(rows(whole.train_images))
    assert rows(few.val_images) == rows(whole.val_images)
    assert load(replace(spec, limit=1000)).fingerprint == whole.fingerprint


def test_the_validation_share_is_what_was_asked_for(tmp_path: Path) -> None:
    data = load(replace(npz(tmp_path), validation=0.4))
    assert torch.bincount(data.val_labels).tolist() == [2] * CLASSES


def test_a_constant_channel_has_a_deviation_of_one(tmp_path: Path) -> None:
    data = load(npz(tmp_path, images=np.full((20, 3, 6, 9), 51, dtype=np.uint8)))
    assert data.std.tolist() == [1, 1, 1]
    assert data.mean.tolist() == pytest.approx([0.2] * 3)


@pytest.mark.parametrize("place", [("images", (7, 2, 5, 8)), ("labels", (7,))])
def test_a_changed_pixel_or_label_changes_the_fingerprint(place: tuple[str, tuple[int, ...]], tmp_path: Path) -> None:
    name, index = place
    changed = {"images": pixels("train", 20, 3, 6, 9), "labels": labels("train")}
    before = load(npz(tmp_path)).fingerprint
    changed[name][index] ^= 1
    assert load(npz(tmp_path, **changed)).fingerprint != before
    assert len(before) == 16


def test_a_data_set_moves_to_a_device_as_a_whole(tmp_path: Path) -> None:
    data = load(npz(tmp_path))
    moved = data.to("meta")
    tensors = [part for part in (getattr(moved, name) for name in Dataset.__slots__) if isinstance(part, torch.Tensor)]
    assert len(tensors) == 6
    assert all(part.is_meta for part in tensors)
    assert (moved.image, moved.class_names, moved.name) == (data.image, data.class_names, "set")


def test_the_augmentation_is_the_data_sets_own_unless_one_is_asked_for(tmp_path: Path) -> None:
    spec = fashion(tmp_path)
    assert load(spec).augment == Augment(crop=2, flip=True)
    assert load(replace(spec, augment=Augment(cutout=8))).augment == Augment(cutout=8)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"augment": Augment(crop=6)}, "^augment.crop: 6 is not below the side of 6x9 images"),
        ({"augment": Augment(cutout=7)}, "^augment.cutout: 7 is above the side of 6x9 images"),
        ({"limit": 3}, "^limit: 3 images cannot hold the 4 classes"),
    ],
)
def test_what_the_images_cannot_bear_is_named(fields: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        load(replace(npz(tmp_path), **fields))


def test_classes_of_one_image_each_cannot_be_measured(tmp_path: Path) -> None:
    spec = npz(tmp_path, images=pixels("train", 4, 3, 6, 9), labels=np.arange(4))
    with pytest.raises(InputError, match=r"^set: no class has the 2 images that a validation split needs"):
        load(spec)


def test_files_that_do_not_fit_together_are_named(tmp_path: Path) -> None:
    write_idx(tmp_path / "train-images-idx3-ubyte", pixels("train", 3, 28, 28))
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.zeros(2, dtype=np.uint8))
    with pytest.raises(InputError, match=r"train-images-idx3-ubyte: 3 images do not go with 2 labels"):
        load(DataSpec(name="fashion-mnist", root=str(tmp_path)))


def test_the_digits_of_the_example_are_1200_to_train_on_and_300_to_be_measured_on() -> None:
    data = load(data_spec("digits"))
    assert (len(data.train_labels), len(data.val_labels)) == (1200, 300)
    assert data.image == ImageSpec(channels=1, height=8, width=8, classes=10)


@pytest.mark.slow  # starts a Python
def test_importing_it_imports_neither_torchvision_nor_what_belongs_to_other_floors() -> None:
    heavy = ["torchvision", "sklearn", "ray", "optuna", "sqlalchemy", "pydantic", "yaml", "pandas", "plotly"]
    code = f"import sys, workers.datasets; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# The test split, and folds


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Give an archive of 100 images that can be told apart, of 4 classes, without a test split."""
    images = np.arange(100, dtype=np.uint8)[:, None, None].repeat(4, 1).repeat(4, 2)
    np.savez(tmp_path / "all.npz", images=images, labels=np.arange(100) % 4)
    return tmp_path / "all.npz"


def seen(images: torch.Tensor) -> set[int]:
    return set(images[:, 0, 0, 0].tolist())


def test_a_test_split_is_set_apart_before_all_else_and_is_nobodys(archive: Path) -> None:
    spec = DataSpec(name="npz", path=str(archive), test=0.2)
    data = load(spec)
    images, labels = load_test(spec)
    train, val, test = seen(data.train_images), seen(data.val_images), seen(images)
    assert len(test) == 20
    assert train | val | test == set(range(100))
    assert not train & val
    assert not train & test
    assert not val & test
    assert labels.bincount().tolist() == [5, 5, 5, 5]  # every class has its share
    assert (images[:, 0, 0, 0] % 4 == labels).all()


def test_what_is_normalised_by_is_not_told_by_the_test_split(archive: Path) -> None:
    data = load(DataSpec(name="npz", path=str(archive), test=0.5))
    assert float(data.mean) == pytest.approx(float(data.train_images.float().mean()) / 255, abs=1e-6)


@pytest.mark.parametrize("fold", range(5))
def test_every_image_is_measured_on_in_one_fold(archive: Path, fold: int) -> None:
    parts = [load(DataSpec(name="npz", path=str(archive), test=0.2, fold=(each, 5))) for each in range(5)]
    tested = seen(load_test(DataSpec(name="npz", path=str(archive), test=0.2))[0])
    assert set().union(*(seen(part.val_images) for part in parts)) == set(range(100)) - tested
    assert sum(len(part.val_labels) for part in parts) == 80
    mine = parts[fold]
    assert not seen(mine.val_images) & seen(mine.train_images)
    assert len(mine.train_labels) == 64
    assert mine.val_labels.bincount().tolist() == [4, 4, 4, 4]


def test_a_persons_own_validation_part_is_not_taken_for_the_test(tmp_path: Path) -> None:
    own = np.arange(60, dtype=np.uint8)[:, None, None].repeat(4, 1).repeat(4, 2)
    given = {"images": own[:40], "labels": np.arange(40) % 2, "val_images": own[40:], "val_labels": np.arange(20) % 2}
    np.savez(tmp_path / "parts.npz", **given)
    spec = DataSpec(name="npz", path=str(tmp_path / "parts.npz"), test=0.25)
    assert seen(load(spec).val_images) == set(range(40, 60))
    assert seen(load_test(spec)[0]) <= set(range(40))
    assert len(load(spec).train_labels) == 30


def test_where_there_is_a_test_split_none_is_set_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="test: digits has a test split of its own: nothing need be set apart"):
        load(DataSpec(name="digits", test=0.2))
    images = np.zeros((8, 4, 4), np.uint8)
    labels = np.arange(8) % 2
    np.savez(tmp_path / "has.npz", images=images, labels=labels, test_images=images, test_labels=labels)
    with pytest.raises(InputError, match="test: has has a test split of its own"):
        load(DataSpec(name="npz", path=str(tmp_path / "has.npz"), test=0.2))
    for part in ("train/a", "train/b", "test/a"):
        (tmp_path / "photos" / part).mkdir(parents=True)
    with pytest.raises(InputError, match="test: photos has a test split of its own"):
        load(DataSpec(name="folder", path=str(tmp_path / "photos"), test=0.2))


@pytest.mark.parametrize(
    ("given", "said"),
    [({"test": 1.0}, "test: 1.0 is not a fraction"), ({"fold": (3, 3)}, "fold: "), ({"fold": (0, 1000)}, "fold: ")],
)
def test_parts_that_cannot_be_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        DataSpec(name="npz", path="x.npz", **given)


def test_a_specification_with_parts_travels(archive: Path) -> None:
    spec = DataSpec(name="npz", path=str(archive), test=0.2, fold=(1, 5))
    assert DataSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    before = {name: value for name, value in spec.to_json().items() if name not in ("test", "fold")}
    assert DataSpec.from_json(before).fold is None  # of an earlier version


def test_a_limit_holds_for_folds_as_for_the_studys_own_split() -> None:
    data = load(DataSpec(name="digits", fold=(0, 5), limit=60))
    assert (len(data.train_labels), len(data.val_labels)) == (60, 300)
