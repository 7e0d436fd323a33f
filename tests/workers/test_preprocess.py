"""What pictures go through survives JSON, whatever classes are called, and what does not fit is refused in one line."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.architecture import ImageSpec
from spaces.errors import InputError
from workers.preprocess import Preprocess

NAMES = st.text(st.characters(codec=None), min_size=1)  # lone surrogates too: a folder's name may be any bytes


def preprocess(**changes: Any) -> Preprocess:
    usual = {"channels": 1, "height": 8, "width": 6, "mean": (0.25,), "deviation": (0.5,), "class_names": ("a", "b")}
    return Preprocess(**{**usual, **changes})


@given(names=st.lists(NAMES, min_size=2).map(tuple), white=st.none() | st.floats(1, 2**20), mean=st.floats(0, 1))
def test_it_is_itself_again_behind_json(names: tuple[str, ...], white: float | None, mean: float) -> None:
    told = preprocess(class_names=names, white=white, mean=(mean,))
    assert Preprocess.from_json(json.loads(json.dumps(told.to_json()))) == told
    assert told.image == ImageSpec(channels=1, height=8, width=6, classes=len(names))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"channels": 3}, "a mean and a deviation for each of 3 channels are required"),
        ({"deviation": [1.0, 1.0]}, "a mean and a deviation for each of 1 channels are required"),
        ({"height": "8"}, "is no description of images"),
        ({"class_names": None}, "is no description of images"),
        ({"colour": 1}, "is no description of images"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Preprocess.from_json({**preprocess().to_json(), **changes})


def test_what_is_missing_is_refused() -> None:
    with pytest.raises(InputError, match=r"is no description of images: .*'class_names'"):
        Preprocess.from_json({name: value for name, value in preprocess().to_json().items() if name != "class_names"})
