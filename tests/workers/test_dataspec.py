"""Test `workers.dataspec`."""

from typing import Any

import pytest

from spaces.errors import InputError
from workers.augment import Augment
from workers.dataspec import data_spec
from workers.sources import DATASETS, DataSpec


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("digits", DataSpec(name="digits")),
        ("fashion-mnist", DataSpec(name="fashion-mnist")),
        ({"name": "digits", "validation": 0.1}, DataSpec(name="digits", validation=0.1)),
        ({"name": "fashion-mnist", "root": "data"}, DataSpec(name="fashion-mnist", root="data")),
        ({"torchvision": "CIFAR10", "root": "x"}, DataSpec(name="torchvision", dataset="CIFAR10", root="x")),
        ({"torchvision": "CIFAR10"}, DataSpec(name="torchvision", dataset="CIFAR10", root="data")),
        ({"folder": "pets"}, DataSpec(name="folder", path="pets")),
        ({"name": "folder", "path": "pets"}, DataSpec(name="folder", path="pets")),
        ({"npz": "a.npz", "channels": "last"}, DataSpec(name="npz", path="a.npz", channels="last")),
        ({"folder": "pets", "channels": 4}, DataSpec(name="folder", path="pets", channels=4)),
        ({"folder": "pets", "size": 32}, DataSpec(name="folder", path="pets", size=(32, 32))),
        ({"folder": "pets", "size": [32, 48]}, DataSpec(name="folder", path="pets", size=(32, 48))),
        ({"limit": 100, "npz": "a.npz", "split_seed": 3}, DataSpec(name="npz", path="a.npz", limit=100, split_seed=3)),
        (
            {"name": "digits", "augment": {"crop": 4, "flip": True, "cutout": 8}},
            DataSpec(name="digits", augment=Augment(crop=4, flip=True, cutout=8)),
        ),
        ({"name": "fashion-mnist", "augment": "none"}, DataSpec(name="fashion-mnist", augment=Augment())),
        ({"name": "fashion-mnist", "augment": {}}, DataSpec(name="fashion-mnist", augment=Augment())),
        ({"name": "fashion-mnist", "augment": None}, DataSpec(name="fashion-mnist")),
    ],
)
def test_what_a_person_writes_is_understood(given: Any, meant: DataSpec) -> None:
    assert data_spec(given) == meant


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("digts", "unknown data set 'digts' (did you mean 'digits'?)"),
        ("folder", "folder needs a path: {folder: ...}"),
        (["digits"], "['digits'] is neither the name of a data set nor a mapping; known are digits, "),
        (None, "None is neither the name of a data set nor a mapping"),
        ({}, "names no data set: give name, torchvision, folder, npz"),
        ({"validation": 0.1}, "names no data set: give name, torchvision, folder, npz"),
        (
            {"torchvison": "CIFAR10"},
            "names no data set: give name, torchvision, folder, npz; unknown key 'torchvison' (did you mean ",
        ),
        ({"torchvision": "CIFAR"}, "unknown data set 'CIFAR' (did you mean 'CIFAR10"),
        ({"torchvision": None}, "torchvision needs a dataset: {torchvision: ...}"),
        ({"digits": None}, "digits: takes no value; write `digits` alone, or {name: digits, ...}"),
        ({"name": ["digits"]}, "unknown data set ['digits']"),
        (
            {"name": "digits", "root": "data"},
            "unknown key 'root'; known are name, validation, test, split_seed, limit, augment",
        ),
        ({"name": "digits", "validaton": 0.1}, "unknown key 'validaton' (did you mean 'validation'?)"),
        ({"folder": "a", "npz": "b"}, "unknown key 'npz'; "),
        ({"folder": "a", "path": "b"}, "path: path is given twice: `folder: ...` already says it"),
        ({"folder": "a", 5: "b"}, "unknown key '5'; "),
        ({"folder": 5}, "path 5 is not text"),
        ({"folder": "a", "size": "32"}, "size: ('32', '32') is not a height and a width in pixels"),
        ({"folder": "a", "size": [1, 2, 3]}, "size: (1, 2, 3) is not a height and a width"),
        ({"name": "digits", "validation": 2}, "validation: 2 is not a fraction between 0 and 1"),
        ({"name": "digits", "limit": "all"}, "limit: 'all' is not a whole number of images"),
        (
            {"name": "digits", "augment": True},
            "augment: True is neither none nor a mapping such as {crop: 4, flip: true}",
        ),
        ({"name": "digits", "augment": {"crp": 4}}, "augment: unknown key 'crp' (did you mean 'crop'?)"),
        ({"name": "digits", "augment": {4: 4}}, "augment: unknown key 4; known are crop, flip, cutout, pad"),
        ({"name": "digits", "augment": {"crop": -1}}, "augment.crop: -1 is not a whole number of pixels"),
    ],
)
def test_what_cannot_be_meant_is_told_in_one_line(given: Any, message: str) -> None:
    with pytest.raises(InputError) as raised:
        data_spec(given)
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", [name for name, source in DATASETS.items() if not source.needs])
def test_a_data_set_that_needs_nothing_is_given_by_its_name_alone(name: str) -> None:
    assert data_spec(name) == data_spec({"name": name}) == DataSpec(name=name)
