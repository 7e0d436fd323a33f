"""Test `spaces.settings`."""

import pytest

from spaces.architecture import Architecture
from spaces.errors import InputError
from spaces.settings import read_settings


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("block=preact", "block", "preact"),
        ("widening_factor=1.5", "widening_factor", 1.5),
        ("dropout_rate=.5", "dropout_rate", 0.5),
        ("cardinality=8", "cardinality", 8),
        ("base_width=preserved", "base_width", "preserved"),
        ("base_width=null", "base_width", None),
    ],
)
def test_a_text_names_a_field_and_its_value(text: str, field: str, value: object) -> None:
    assert read_settings([text]) == {field: value}


@pytest.mark.parametrize("text", ["kernels=3,1,3", "kernels=B(3,1,3)", "kernels=[3,1,3]"])
def test_a_list_may_be_written_as_papers_do(text: str) -> None:
    assert Architecture(block="preact", **read_settings([text])).kernels == (3, 1, 3)


def test_one_number_is_a_list_of_one() -> None:
    assert Architecture(block="preact", **read_settings(["kernels=3"])).kernels == (3,)


@pytest.mark.parametrize("stages", [3, 4])
def test_depth_stands_for_as_many_blocks_in_every_stage(stages: int) -> None:
    assert read_settings(["depth=2"], stages) == {"depths": (2,) * stages}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shortcut", "'shortcut' is not of the form field=value"),
        ("shortcuts=A", "unknown field 'shortcuts' (did you mean 'shortcut'?); known are depth, block"),
        ("=A", "unknown field ''; known are depth"),
    ],
)
def test_a_text_that_names_no_field_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        read_settings([text])
    assert str(refused.value).startswith(said)
