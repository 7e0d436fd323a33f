"""Test `spaces.graph`: equal digests are equal functions, and networks that differ have different ones."""

import itertools
from typing import Any

import pytest
import torch

from spaces.architecture import Architecture, ImageSpec, plan
from spaces.graph import graph_of
from spaces.network import build

IMAGE = ImageSpec(height=16, width=16, classes=3)

DROPPED = {"dropout": "branch", "dropout_rate": 0.5}

EQUAL: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "stages may begin anywhere",
        {"depths": (2,), "widths": (8,)},
        {"depths": (1, 1), "widths": (8, 8), "strides": (1, 1)},
    ),
    *(
        (f"a plain network has no order: {order}", {"shortcut": "none"}, {"shortcut": "none", "order": order})
        for order in ("bn_after_addition", "relu_before_addition", "relu_only", "full")
    ),
    (
        "a plain network drops its units where it did",
        {"shortcut": "none", "dropout": "between", "dropout_rate": 0.5},
        {"shortcut": "none", "dropout": "between", "dropout_rate": 0.5, "block": "preact"},
    ),
    ("a plain network is a chain", {"block": "conv", "depths": (2, 2, 2)}, {"shortcut": "none"}),
    ("so is one of single convolutions", {"block": "conv"}, {"block": "preact", "shortcut": "none", "kernels": (3,)}),
    (
        "blocks that all project do not care where a normalisation stands",
        {"block": "preact", "shortcut": "C"},
        {"order": "bn_after_addition", "shortcut": "C"},
    ),
    (
        "nor do bottlenecks",
        {"block": "preact_bottleneck", "shortcut": "C", **DROPPED},
        {"block": "bottleneck", "order": "bn_after_addition", "shortcut": "C", **DROPPED},
    ),
    (
        "one merge-and-run block merges a stream with itself",
        {"block": "merge_run", "depths": (1,), "widths": (16,)},
        {"block": "inception", "depths": (1,), "widths": (16,)},
    ),
    (
        "two branches around a shortcut are an Inception-like block",
        {"branches": 2, "dropout": "between", "dropout_rate": 0.5},
        {"block": "inception", "dropout": "between", "dropout_rate": 0.5},
    ),
    (
        "so are those of bottlenecks without a shortcut",
        {"block": "bottleneck", "branches": 2, "shortcut": "none"},
        {"block": "inception_bottleneck", "shortcut": "none"},
    ),
    (
        "several branches that share what they begin with do not care where a normalisation stands",
        {"block": "preact", "branches": 3, "shortcut": "C"},
        {"order": "bn_after_addition", "branches": 3, "shortcut": "C"},
    ),
    (
        "one column is a chain",
        {"block": "fractal", "columns": 1, "strides": (2, 1, 1)},
        {"block": "conv", "downsampling": "max", "strides": (1, 2, 1)},
    ),
    (
        "of one column a block may be many",
        {"block": "fractal", "columns": 1, "depths": (4,), "widths": (8,)},
        {"block": "conv", "depths": (4,), "widths": (8,)},
    ),
    ("one group is no group", {"block": "resnext"}, {"block": "bottleneck"}),
    ("what is widened is wide", {"widening_factor": 2}, {"widths": (32, 64, 128)}),
]


@pytest.mark.parametrize(("one", "other"), [pytest.param(one, other, id=name) for name, one, other in EQUAL])
def test_equal_graphs_have_one_digest_and_compute_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = Architecture(**one), Architecture(**other)
    assert first.digest == second.digest
    networks = [build(each, IMAGE, generator=torch.Generator().manual_seed(0)).double() for each in (first, second)]
    states = [network.state_dict() for network in networks]
    networks[1].load_state_dict(dict(zip(states[1], states[0].values(), strict=True)))
    images = torch.rand(4, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for training in (True, False):
        outs = []
        for network in networks:
            torch.manual_seed(2)  # of the units and branches that are dropped
            outs.append(network.train(training)(images))
        torch.testing.assert_close(outs[1], outs[0], rtol=1e-10, atol=1e-10)


DIFFERENT: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("an identity hands a raw sum on", {"block": "preact"}, {"order": "bn_after_addition"}),
    (
        "units may be dropped before or behind the activation",
        {"block": "preact", "shortcut": "C", "dropout": "after", "dropout_rate": 0.5},
        {"order": "bn_after_addition", "shortcut": "C", "dropout": "after", "dropout_rate": 0.5},
    ),
    (
        "a large stem pools what it has normalised",
        {"block": "preact", "shortcut": "none", "stem": "large"},
        {"shortcut": "none", "stem": "large"},
    ),
    (
        "a cosine head reads raw sums",
        {"block": "preact", "shortcut": "none", "head": "cosine"},
        {"shortcut": "none", "head": "cosine"},
    ),
    (
        "branches without a shortcut normalise for themselves",
        {"block": "preact", "branches": 2, "shortcut": "none"},
        {"order": "bn_after_addition", "branches": 2, "shortcut": "none"},
    ),
    (
        "columns that join are no chain",
        {"block": "fractal", "columns": 2, "depths": (1,), "widths": (16,)},
        {"block": "fractal", "columns": 1, "depths": (2,), "widths": (16,)},
    ),
    ("a bias is no normalisation", {"block": "conv"}, {"block": "biased_conv"}),
    ("two projections are more than one", {"block": "merge_run"}, {"block": "inception"}),
    ("a stride is where it is", {"strides": (1, 2, 2)}, {"strides": (2, 2, 1)}),
    (
        "a CReLU behind the last convolution is another",
        {"shortcut": "none", "activation": "crelu"},
        {"shortcut": "none", "activation": "crelu", "order": "relu_before_addition"},
    ),
    (
        "branches are dropped for a batch or for each sample",
        {"dropout": "branch", "dropout_rate": 0.5},
        {"dropout": "branch", "dropout_rate": 0.5, "drop_unit": "sample"},
    ),
]


@pytest.mark.parametrize(("one", "other"), [pytest.param(one, other, id=name) for name, one, other in DIFFERENT])
def test_networks_that_differ_have_different_digests(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert Architecture(**one).digest != Architecture(**other).digest


def test_a_second_relu_right_behind_the_first_changes_nothing() -> None:
    steps = graph_of(plan(Architecture(order="relu_only", shortcut="none")))
    assert ("relu", "relu") not in list(itertools.pairwise(steps))
