"""Test `workers.sources`."""

import hashlib
import json
import math
import struct
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.errors import InputError
from workers.augment import Augment
from workers.sources import DATASETS, FASHION, DataSpec

COMMON = st.fixed_dictionaries(
    {},
    optional={
        "validation": st.floats(0.01, 0.99),
        "split_seed": st.integers(0, 2**32 - 1),
        "limit": st.none() | st.integers(1, 10_000),
        "augment": st.none() | st.builds(Augment, crop=st.integers(0, 9), flip=st.booleans()),
    },
)
OWN: list[dict[str, Any]] = [
    {"name": "digits"},
    {"name": "fashion-mnist", "root": "data"},
    {"name": "torchvision", "dataset": "CIFAR10"},
    {"name": "folder", "path": "pets", "size": (32, 48)},
    {"name": "folder", "path": "pets", "channels": 4},
    {"name": "npz", "path": "pets.npz", "channels": "last"},
]


@given(common=COMMON, own=st.sampled_from(OWN))
def test_a_specification_survives_json(common: dict[str, Any], own: dict[str, Any]) -> None:
    spec = DataSpec(**own, **common)
    again = DataSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec
    assert hash(again) == hash(spec)
    assert again.to_json() == spec.to_json()


@pytest.mark.parametrize("name", DATASETS)
def test_every_source_names_fields_that_there_are(name: str) -> None:
    source = DATASETS[name]
    known = {item.name for item in fields(DataSpec)}
    assert {source.needs, *source.takes} - {""} <= known


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "digit"}, "unknown data set 'digit' (did you mean 'digits'?)"),
        ({"name": "FashionMNIST"}, "unknown data set 'FashionMNIST' (did you mean 'fashion-mnist'?)"),
        ({"name": "zzz"}, "unknown data set 'zzz'; known are digits, fashion-mnist, torchvision, folder, npz"),
        ({"name": ["digits"]}, "unknown data set ['digits'] (did you mean 'digits'?)"),
        ({"name": "folder"}, "folder needs a path: {folder: ...}"),
        ({"name": "torchvision"}, "torchvision needs a dataset: {torchvision: ...}"),
        ({"name": "torchvision", "dataset": "cifar11"}, "unknown data set 'cifar11' (did you mean 'CIFAR10'?)"),
        ({"name": "digits", "root": "data"}, "root: digits takes no root"),
        ({"name": "npz", "path": "a.npz", "size": (8, 8)}, "size: npz takes no size"),
        ({"name": "npz", "path": "a", "channels": 4}, "channels: 4 is none of first, last"),
        ({"name": "npz", "path": "a", "channels": ["last"]}, "channels: ['last'] is none of first, last"),
        ({"name": "folder", "path": "a", "channels": "last"}, "channels: 'last' is none of 1, 3, 4"),
        ({"name": "folder", "path": "a", "channels": 5}, "channels: 5 is none of 1, 3, 4"),
        ({"name": "folder", "path": "a", "channels": True}, "channels: True is none of 1, 3, 4"),
        ({"name": "digits", "channels": 1}, "channels: digits takes no channels"),
        ({"name": "npz", "path": 5}, "path 5 is not text"),
        ({"name": "npz", "path": ""}, "path '' is not text"),
        ({"name": "digits", "validation": 0}, "validation: 0 is not a fraction between 0 and 1"),
        ({"name": "digits", "validation": 1.0}, "validation: 1.0 is not a fraction"),
        ({"name": "digits", "validation": True}, "validation: True is not a fraction"),
        ({"name": "digits", "validation": "0.2"}, "validation: '0.2' is not a fraction"),
        ({"name": "digits", "validation": float("nan")}, "validation: nan is not a fraction"),
        ({"name": "digits", "split_seed": -1}, "split_seed: -1 is not a whole number from 0 to 2^32 - 1"),
        ({"name": "digits", "split_seed": 0.5}, "split_seed: 0.5 is not a whole number"),
        ({"name": "digits", "limit": 0}, "limit: 0 is not a whole number of images, 1 or more"),
        ({"name": "folder", "path": "pets", "size": (32,)}, "size: (32,) is not a height and a width in pixels"),
        ({"name": "folder", "path": "pets", "size": (32, 0)}, "size: (32, 0) is not a height and a width"),
        ({"name": "digits", "augment": {"crop": 2}}, "augment: {'crop': 2} is not an augmentation"),
    ],
)
def test_a_wrong_field_is_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as raised:
        DataSpec(**given)
    assert str(raised.value).startswith(message)


def test_unknown_fields_of_a_description_are_named() -> None:
    with pytest.raises(InputError, match=r"unknown key 'validatoin' \(did you mean 'validation'\?\)"):
        DataSpec.from_json({"name": "digits", "validatoin": 0.1})
    with pytest.raises(InputError, match=r"augment: unknown key 'flp' \(did you mean 'flip'\?\)"):
        DataSpec.from_json({"name": "digits", "augment": {"flp": True}})


def test_what_is_asked_for_comes_before_what_suits_the_data_set() -> None:
    assert DataSpec(name="torchvision", dataset="CIFAR10").augmentation == Augment(crop=4, flip=True)
    assert DataSpec(name="torchvision", dataset="SVHN").augmentation == Augment(crop=4)
    assert DataSpec(name="fashion-mnist").augmentation == Augment(crop=2, flip=True)
    assert DataSpec(name="fashion-mnist", augment=Augment()).augmentation == Augment()
    for unchanged in (DataSpec(name="digits"), DataSpec(name="npz", path="a.npz"), DataSpec(name="folder", path="a")):
        assert unchanged.augmentation == Augment()


def test_paths_are_made_absolute_for_processes_that_start_elsewhere(tmp_path: Path) -> None:
    assert DataSpec(name="npz", path="a.npz").resolved(tmp_path).path == str(tmp_path / "a.npz")
    assert DataSpec(name="npz", path="/b.npz").resolved(tmp_path).path == "/b.npz"
    assert DataSpec(name="npz", path="~/c.npz").resolved(tmp_path).path == str(Path.home() / "c.npz")
    assert DataSpec(name="torchvision", dataset="MNIST").resolved(tmp_path).root == str(tmp_path / "data")
    assert DataSpec(name="fashion-mnist").resolved(tmp_path).root is None
    assert DataSpec(name="digits").resolved(tmp_path) == DataSpec(name="digits")


def test_a_title_is_what_people_call_the_data() -> None:
    assert [DataSpec(**own).title for own in OWN] == ["digits", "fashion-mnist", "CIFAR10", "pets", "pets", "pets"]


def test_the_digits_are_all_there_and_none_is_in_both_parts() -> None:
    from sklearn.datasets import load_digits

    train, test = (DATASETS["digits"].read(DataSpec(name="digits"), train) for train in (True, False))
    assert (len(train.labels), len(test.labels)) == (1500, 297)
    assert (train.images.shape[1:], train.images.dtype) == ((1, 8, 8), np.uint8)
    whole = np.round(load_digits().images * 255 / 16).astype(np.uint8)
    read = np.concatenate([train.images, test.images])
    assert sorted(image.tobytes() for image in read) == sorted(image.tobytes() for image in whole)
    assert (read.min(), read.max()) == (0, 255)


def test_every_digit_is_tested_in_its_share() -> None:
    test = DATASETS["digits"].read(DataSpec(name="digits"), False)
    assert set(np.bincount(test.labels)) <= {29, 30, 31}


def test_the_digits_test_split_never_changes() -> None:
    test = DATASETS["digits"].read(DataSpec(name="digits"), False)
    digest = hashlib.sha256(test.images.tobytes() + test.labels.astype("<i8").tobytes()).hexdigest()
    assert digest[:16] == "22649b2f939391d6"


@pytest.mark.extra("fashion-mnist")
def test_debians_fashion_mnist_is_read_whole() -> None:
    train, test = (DATASETS["fashion-mnist"].read(DataSpec(name="fashion-mnist"), train) for train in (True, False))
    assert (train.images.shape, test.images.shape) == ((60_000, 1, 28, 28), (10_000, 1, 28, 28))
    assert set(np.bincount(train.labels)) == {6000}
    assert set(np.bincount(test.labels)) == {1000}
    assert abs(train.images.mean() / 255 - 0.2860) < 1e-4  # as published
    assert train.class_names[test.labels[0]] == FASHION[9] == "Ankle boot"


def test_fashion_mnist_that_is_absent_is_told_with_the_ways_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no train-images.* `apt-get install .* or write \{torchvision: "):
        DATASETS["fashion-mnist"].read(DataSpec(name="fashion-mnist", root=str(tmp_path)), True)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        ((0, 28, 28), (0,), "there is no image"),
        ((4, 28, 28), (3,), "4 images do not go with 3 labels"),
        ((4, 28, 28), (4, 1), "labels of shape 4 x 1 are not one for each image"),
        ((4, 28), (4,), "images of shape 4 x 28 are not clearly"),
    ],
)
def test_what_is_wrong_with_fashion_mnist_is_told_of_its_file(
    images: tuple[int, ...], labels: tuple[int, ...], message: str, tmp_path: Path
) -> None:
    for name, shape in (("train-images-idx3-ubyte", images), ("train-labels-idx1-ubyte", labels)):
        header = bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)
        (tmp_path / name).write_bytes(header + bytes(math.prod(shape)))
    with pytest.raises(InputError, match=f"^{tmp_path}/train-images-idx3-ubyte: {message}"):
        DATASETS["fashion-mnist"].read(DataSpec(name="fashion-mnist", root=str(tmp_path)), True)
