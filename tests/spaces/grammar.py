"""Draw architectures of the whole grammar, and lay out small ones that hold every shape a block can meet."""

from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import assume, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from spaces.architecture import Architecture, ImageSpec, plan
from spaces.blocks import BLOCKS
from spaces.errors import InfeasibleArchitecture
from spaces.fields import MIXED, OPTIONS
from spaces.kinds import AROUND, KINDS
from spaces.network import Network, build
from spaces.plan import BlockSpec

relaxed = settings(deadline=None, max_examples=50)

SHORTCUTS, ORDERS, DROPOUTS = OPTIONS["shortcut"], OPTIONS["order"], OPTIONS["dropout"]
UNMIXED = tuple(each for each in SHORTCUTS if each not in MIXED)
ORDERED = tuple(block for block, kind in KINDS.items() if kind.order is None)  # blocks that read the order
SHORTENED = tuple(block for block, kind in KINDS.items() if kind.shortcuts)
BRANCHED = tuple(block for block, kind in KINDS.items() if kind.makes == "residual")
STEMMED = tuple(each for each in OPTIONS["stem"] if each != "none")  # which any block can have before it
UNSHORTENED = tuple(block for block in KINDS if block not in SHORTENED)
BLOCKS_IN_ORDERS = [(block, order) for block in KINDS for order in (ORDERS if block in ORDERED else ("original",))]


def values(stages: int) -> dict[str, st.SearchStrategy[Any]]:
    """Return what each field of an architecture of that many stages can be."""

    def for_each_stage(*options: int) -> st.SearchStrategy[tuple[int, ...]]:
        return st.lists(st.sampled_from(options), min_size=stages, max_size=stages).map(tuple)

    return {
        "block": st.sampled_from(sorted(KINDS)),
        "depths": for_each_stage(1, 2),
        "widths": for_each_stage(8, 16, 24),
        "strides": st.one_of(st.none(), for_each_stage(1, 2)),
        "kernels": st.lists(st.sampled_from([1, 3, 5]), min_size=1, max_size=3).map(tuple),
        "widening_factor": st.sampled_from([0.5, 1, 1.0, 1.5, 2]),
        "cardinality": st.sampled_from([1, 2, 4]),
        "branches": st.sampled_from([1, 2, 3]),
        "levels": st.sampled_from([1, 2, 3]),
        "columns": st.sampled_from([1, 2, 3]),
        "base_width": st.sampled_from([None, 16, 64, "preserved"]),
        "growth": st.sampled_from([4, 6, 12]),
        "compression": st.sampled_from([0.5, 0.7, 1.0]),
        **{name: st.sampled_from(options) for name, options in OPTIONS.items()},
        "drop_global": st.sampled_from([0, 0.5, 1.0]),
        "unit_rate": st.sampled_from([0, 0.0, 0.4]),
        "dropout_rate": st.sampled_from([0, 0.0, 0.1, 0.5]),
        "stage_kernels": st.one_of(st.none(), for_each_stage(1, 3, 5)),
        "stem_width": st.sampled_from([8, 16]),
        "reduction": st.sampled_from([4, 16]),
        "head_map": st.sampled_from([1, 2]),
        "gate_bias": st.sampled_from([-2, -2.0, 0, -6.5]),
        "head_width": st.sampled_from([8, 20]),
        "head_scale": st.sampled_from([4, 16, 16.0]),
    }


def feasible(fields: dict[str, Any]) -> Architecture:
    """Return the architecture of drawn fields; the example is skipped where there is none."""
    try:
        return Architecture(**fields)
    except InfeasibleArchitecture:
        assume(False)
        raise


@st.composite
def architectures(draw: st.DrawFn, stages: int | None = None) -> Architecture:
    """Draw every field."""
    drawn = draw(st.fixed_dictionaries(values(stages or draw(st.integers(1, 3)))))
    return feasible(drawn)


def small(block: str, **fields: Any) -> Architecture:
    """An identity, a change of width, a change of width and stride, and a stride alone: every shortcut there is."""
    usual: dict[str, Any] = {"depths": (2, 1, 1), "widths": (8, 12, 12), "stem_width": 8, "cardinality": 2, "growth": 4}
    return Architecture(block=block, **{**usual, **fields})


def small_specs(block: str, **fields: Any) -> tuple[BlockSpec, ...]:
    return plan(small(block, **fields)).blocks


def making(*classes: str) -> list[str]:
    """Return the names of blocks that are put together by some of `spaces.blocks.BLOCKS`."""
    return [block for block, kind in KINDS.items() if kind.makes in classes]


@cache
def is_single(block: str) -> bool:
    """Say whether a block is one convolution."""
    return all(len(spec.branch) == 1 for spec in small_specs(block) if spec.kind != "transition")


def conflict(block: str, dropout: str, shortcut: str) -> str | None:
    """Return what the refusal of a small architecture that drops something says, or None where it is none."""
    if dropout in AROUND and block in UNSHORTENED:
        return f"dropout {dropout} needs a shortcut, and block {block} has none"
    if dropout in AROUND and shortcut == "none":
        return f"dropout {dropout} needs a shortcut, and shortcut is none"
    columned = KINDS[block].makes == "fractal"
    if dropout == "path" and not columned:
        return f"dropout path needs columns, and block {block} has none"
    if dropout == "between" and columned:
        return f"dropout between needs one branch, and block {block} has columns"
    if dropout == "between" and is_single(block):
        return f"dropout between needs two convolutions, and block {block} has one"
    if KINDS[block].makes == "merge_run" and shortcut == "none":
        return f"block {block} merges its streams on shortcuts, and shortcut is none"
    if KINDS[block].makes == "merge_run" and shortcut in MIXED:
        return f"shortcut {shortcut} is of one stream in blocks of ours; block {block} has two streams"
    return None


def contract() -> list[dict[str, Any]]:
    """Return the fields of small architectures: each block in each order by dropout, shortcut, activation and head."""
    rows: list[dict[str, Any]] = []
    for block, order in BLOCKS_IN_ORDERS:
        usual = {"block": block, "order": order, "dropout": "none", "shortcut": "B"}
        rows += [usual | {"dropout": dropout} for dropout in DROPOUTS]
        rows += [usual | {"shortcut": shortcut} for shortcut in SHORTCUTS if block in SHORTENED and shortcut != "B"]
        rows += [
            usual | {"activation": "crelu"},
            usual | {"head": "cosine"},
            usual | {"head": "pointwise"},
            usual | {"head": "layers"},
            usual | {"head": "dropped_layers"},
        ]
        rows += [usual | {"levels": levels} for levels in (2, 3)] if block in BRANCHED else []
        rows += [usual | {"attention": "squeeze_excite", "reduction": 2}] if block in BRANCHED else []
        columned = [{"doubling": "pointwise"}, {"stem": "none"}, {"columns": 1}, {"columns": 2, "dropout": "path"}]
        columned += [{"unit_rate": 0.4}, {"unit_rate": 0.4, "dropout": "path"}]
        rows += [usual | each for each in columned] if KINDS[block].makes == "fractal" else []
        pooled = [{"downsampling": "max"}, {"downsampling": "overlap", "stage_kernels": (1, 5, 3)}]
        rows += [usual | each for each in pooled] if KINDS[block].makes == "chain" else []
        rows += [usual | {"branches": 3}, usual | {"branches": 2, "shortcut": "A"}] if block in BRANCHED else []
    return [row for row in rows if conflict(row["block"], row["dropout"], row["shortcut"]) is None]


def contract_by_tier() -> list[Any]:
    """Return the same for `parametrize`, a third of them in the fast tier."""
    return [
        pytest.param(row, marks=[pytest.mark.slow] if number % 3 else [], id=told(row))
        for number, row in enumerate(contract())
    ]


def told(fields: dict[str, Any]) -> str:
    """Return a name for fields, to name a test by."""
    return "-".join(map(str, fields.values()))


def made(spec: BlockSpec) -> Any:
    """Return a block with weights and statistics of its own, so that none can stand for another."""
    generator = torch.Generator().manual_seed(7)
    block = BLOCKS[spec.kind](spec).double()
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
        for module in block.modules():
            if isinstance(module, nn.BatchNorm2d):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.copy_(torch.randn(module.num_features, generator=generator))
                module.running_var.copy_(torch.rand(module.num_features, generator=generator) + 0.5)
                module.weight.abs_().add_(0.1)
    return block


def maps(spec: BlockSpec, height: int = 9, width: int = 7) -> Tensor:
    """Return a batch of two that a block can read."""
    generator = torch.Generator().manual_seed(3)
    return torch.randn(2, spec.in_width, height, width, generator=generator, dtype=torch.float64)


def layers(module: nn.Module, kind: type[nn.Module]) -> list[Any]:
    """Return the layers of a kind in the order they were made."""
    return [layer for layer in module.modules() if isinstance(layer, kind)]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ready(architecture: Architecture, image: ImageSpec, seed: int = 0, count: int = 4) -> tuple[Network, Tensor]:
    """Return a network in float64 and images that it reads."""
    generator = seeded(seed)
    network = build(architecture, image, generator=generator).double()
    images = torch.rand(count, image.channels, image.height, image.width, generator=generator, dtype=torch.float64)
    return network, images
