"""What goes through all blocks of a network is taken out of all of them: branches, shortcuts, columns."""

from typing import Any

import pytest
import torch

from spaces.architecture import Architecture, ImageSpec, plan
from spaces.columns import take_column
from spaces.network import Network, build
from spaces.plain import plain_of
from tests.workers.test_lesions import IMAGE, IMAGES, network
from workers.parts import COLUMNS, SHAPE_STAYS, STANDS_BESIDE, bases, parts, without

pytestmark = pytest.mark.usefixtures("one_thread")
FRACTAL: dict[str, Any] = {"block": "fractal", "columns": 3, "depths": (1, 1), "widths": (4, 8), "widening_factor": 1.0}
SHUFFLE: dict[str, Any] = {"block": "shuffle", "cardinality": 2, "widths": (8, 16, 32), "stem_width": 8,
                           "widening_factor": 1.0, "depths": (2, 2, 1)}  # fmt: skip


def all_blocks(full: Network, architecture: Architecture, what: str, place: str = "") -> Any:
    return next(each for each in bases(full, plan(architecture)) if (each.what, each.place) == (what, place))


@pytest.mark.parametrize(
    "fields",
    [{"block": "basic"}, {"block": "preact"}, {"block": "basic", "branches": 3}, {"block": "inception"},
     {"block": "basic", "shortcut": "gated", "widening_factor": 1}, {"levels": 3},
     {"shortcut": "3x3", "kernels": (3, 3, 3)}],
    ids=str,
)  # fmt: skip
@torch.inference_mode()
def test_the_deep_network_is_the_plain_one_with_the_same_weights(fields: dict[str, Any]) -> None:
    full, architecture = network(**{"depths": (2, 1, 1), **fields})
    alone = build(plain_of(architecture), IMAGE, generator=torch.Generator()).eval()
    held = full.state_dict()
    alone.load_state_dict({name: held[name] for name in alone.state_dict()})
    before = full(IMAGES)
    with without(all_blocks(full, architecture, "deep")):
        assert torch.allclose(full(IMAGES), alone(IMAGES), atol=1e-5)
    assert torch.equal(full(IMAGES), before)


@torch.inference_mode()
def test_a_base_network_is_the_one_of_a_single_branch() -> None:
    full, architecture = network(branches=3)
    alone, _ = network(branches=1)
    names = {name: name.replace(".branch.", ".branches.1.") for name in alone.state_dict()}
    alone.load_state_dict({name: full.state_dict()[of] for name, of in names.items()})
    with without(all_blocks(full, architecture, "base", "2")):
        assert torch.allclose(full(IMAGES), alone(IMAGES), atol=1e-5)


@torch.inference_mode()
def test_the_shallow_network_does_not_hang_on_any_branch() -> None:
    full, architecture = network(block="merge_run")
    with without(all_blocks(full, architecture, "shallow")):
        shallow = full(IMAGES)
        for layer in full.stages.modules():
            if isinstance(layer, torch.nn.Conv2d) and layer.kernel_size == (3, 3):  # of branches; shortcuts are 1x1s
                torch.nn.init.zeros_(layer.weight)
        assert torch.equal(full(IMAGES), shallow)
    with without(all_blocks(full, architecture, "deep")):
        assert not torch.equal(full(IMAGES), shallow)


@torch.inference_mode()
def test_a_column_alone_is_the_network_of_that_column() -> None:
    full, architecture = network(**FRACTAL)
    for column in (1, 2, 3):
        _, alone = take_column(full, architecture, IMAGE, column)
        with without(all_blocks(full, architecture, "alone", str(column))):
            assert torch.allclose(full(IMAGES), alone(IMAGES), atol=1e-5)
    assert {each.note for each in parts(full, plan(architecture))} == {COLUMNS}


@torch.inference_mode()
def test_without_its_deepest_column_a_fractal_network_is_the_one_with_fewer() -> None:
    full, architecture = network(**FRACTAL)
    fewer, _ = network(**{**FRACTAL, "columns": 2})
    fewer.load_state_dict({name: full.state_dict()[name] for name in fewer.state_dict()})
    before = full(IMAGES)
    with without(all_blocks(full, architecture, "column", "3")):
        assert torch.allclose(full(IMAGES), fewer(IMAGES), atol=1e-5)
    assert torch.equal(full(IMAGES), before)


def test_columns_are_out_in_training_too_and_what_is_dropped_is_another() -> None:
    full, architecture = network(**FRACTAL, dropout="path", dropout_rate=0.5, drop_global=1.0)
    with without(all_blocks(full, architecture, "column", "3")):
        for seed in range(8):
            torch.manual_seed(seed)
            full.train()(IMAGES).sum().backward()
    gone = [name for name, each in full.named_parameters() if ".columns.2." in name and each.grad is not None]
    assert gone == []


@torch.inference_mode()
def test_a_shuffle_block_becomes_its_shortcut_where_that_is_the_identity() -> None:
    full, architecture = network(**SHUFFLE)
    found = {each.place: each for each in parts(full, plan(architecture))}
    read = full.stem(IMAGES)
    with without(found["1.2"]):
        block = full.stages[0][1]  # type: ignore[index]  # a stage
        assert torch.equal(block(read), read)
    assert [found[place].note for place in ("1.2", "2.1", "2.2")] == ["", STANDS_BESIDE, ""]
    assert SHAPE_STAYS not in {each.note for each in found.values()}


def test_what_trains_without_shortcuts_does_so_where_branches_are_dropped_whole() -> None:
    full, architecture = network(dropout="branch", dropout_rate=0.9, drop_decay="uniform")
    with without(all_blocks(full, architecture, "deep")):
        for seed in range(4):
            torch.manual_seed(seed)
            assert full.train()(IMAGES).shape == (4, ImageSpec().classes)
