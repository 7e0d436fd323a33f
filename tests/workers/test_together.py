"""Networks are trained together where that was measured to pay, and only where it can be done."""

from dataclasses import replace

import pytest

from spaces.architecture import Architecture, ImageSpec
from spaces.counting import cost
from workers.recipe import Recipe
from workers.together import in_common, most_together

NARROW = Architecture(depths=(1, 1, 1), widths=(4, 8, 16), stem_width=4)
RATES = ("accuracy", "macs")


def most(
    architecture: Architecture, side: int = 8, objectives: tuple[str, ...] = RATES, *, gpu: bool = False
) -> int:  # fmt: skip
    counted = cost(architecture, ImageSpec(channels=3, height=side, width=side))
    return most_together(architecture, counted, objectives, gpu=gpu)


@pytest.mark.parametrize(("side", "factor", "expected"), [(8, 1, 8), (8, 4, 4), (8, 8, 1), (16, 2, 4), (32, 4, 1)])
def test_the_smaller_its_convolutions_the_more_of_a_network_are_trained_together(
    side: int, factor: int, expected: int
) -> None:
    assert most(replace(NARROW, widening_factor=factor, stem_width=4 * factor), side) == expected


def test_depth_changes_nothing() -> None:
    assert most(replace(NARROW, depths=(9, 9, 9))) == most(NARROW)


@pytest.mark.parametrize("measured", ["epoch_s", "peak_bytes", "somebodys_own"])
def test_nobody_shares_what_is_measured_of_each(measured: str) -> None:
    assert most(NARROW, objectives=("accuracy", measured)) == 1


def test_what_cannot_be_packed_and_what_nobody_has_measured_is_trained_alone() -> None:
    paths = Architecture(block="fractal", depths=(1,), widths=(4,), columns=2, dropout="path", dropout_rate=0.1)
    assert most(paths) == 1
    assert most(NARROW, gpu=True) == 1


@pytest.mark.parametrize(
    ("changes", "rate", "alike"),
    [
        ({"dropout_rate": 0.4}, 0.01, True),
        ({"dropout_rate": 0.0}, 0.1, False),  # it has layers that others have not
        ({"dropout": "head"}, 0.1, False),
        ({}, 0.0, False),
    ],
)
def test_members_of_a_pack_differ_in_rates_alone(changes: dict[str, object], rate: float, alike: bool) -> None:
    dropping = replace(NARROW, dropout="between", dropout_rate=0.1)
    other = in_common(replace(dropping, **changes), Recipe(learning_rate=rate))  # type: ignore[arg-type]
    assert (other == in_common(dropping, Recipe())) is alike
