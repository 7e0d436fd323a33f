"""Test `spaces.columns`: one column of a fractal network, alone."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from spaces.architecture import Architecture, ImageSpec
from spaces.columns import column_of, take_column
from spaces.counting import cost
from spaces.errors import InputError
from spaces.names import named
from spaces.network import build
from tests.spaces.grammar import ready

IMAGE = ImageSpec(height=9, width=11, classes=3)
SMALL: dict[str, Any] = {"block": "fractal", "depths": (1, 2), "widths": (8, 12), "strides": (2, 2), "stem_width": 8}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("doubling", ["columns", "pointwise"])
@pytest.mark.parametrize("stem", ["none", "small"])
@pytest.mark.parametrize("column", [1, 2, 3, None])
def test_a_column_alone_is_what_the_whole_network_is_when_only_that_is_left(
    column: int | None, stem: str, doubling: str, training: bool
) -> None:
    whole = Architecture(**SMALL, stem=stem, doubling=doubling, dropout="path", dropout_rate=0.2, drop_global=1.0)
    network, images = ready(whole, IMAGE)
    alone, taken = take_column(network, whole, IMAGE, column)
    assert alone.dropout == "none"
    network.train(training)
    taken.train(training)
    for drop in network.paths:
        drop.train()
    while network.paths[0].only != (column or 3) - 1:
        expected = network(images)
    torch.testing.assert_close(taken(images), expected, rtol=1e-12, atol=1e-12)


def test_a_column_that_is_taken_is_a_copy() -> None:
    network = build(Architecture(**SMALL), IMAGE)
    _, taken = take_column(network, Architecture(**SMALL), IMAGE)
    before = [parameter.clone() for parameter in network.parameters()]
    with torch.no_grad():
        for parameter in taken.parameters():
            parameter.add_(1)
    assert all(torch.equal(one, other) for one, other in zip(before, network.parameters(), strict=True))


def test_the_deepest_column_of_twenty_layers_is_a_plain_network_of_them() -> None:
    known = named("fractalnet-20")
    deepest = column_of(known.architecture)
    assert (deepest.depths, deepest.columns) == ((4,) * 5, 1)
    by_hand, reads = 512 * 10 + 10, 3
    for width in (64, 128, 256, 512, 512):
        doubler = reads * width + 2 * width if reads != width else 0
        by_hand, reads = by_hand + doubler + 4 * (9 * width**2 + 2 * width), width
    assert cost(deepest, known.image).params == by_hand
    chain = replace(column_of(replace(known.architecture, doubling="columns")), stem="small")
    plain = Architecture(
        block="conv", depths=(4, 4, 4, 4, 4), widths=chain.widths, strides=(1, 2, 2, 2, 2), downsampling="max"
    )
    last = replace(chain, strides=(2, 2, 2, 2, 1))
    assert last.digest == plain.digest


@pytest.mark.parametrize(
    ("given", "column", "said"),
    [
        ({}, None, "block basic has no columns to take one of"),
        ({"block": "fractal"}, 4, "there is no column 4: columns are 1, the shallowest, to 3, the deepest"),
        ({"block": "fractal"}, 0, "there is no column 0: columns are 1, the shallowest, to 3, the deepest"),
    ],
)
def test_a_column_that_is_not_there_is_refused(given: dict[str, Any], column: int | None, said: str) -> None:
    with pytest.raises(InputError) as caught:
        column_of(Architecture(**given), column)
    assert str(caught.value) == said
