"""What comes through each block is told as its formula has it, of every kind of block, and changes nothing."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from spaces.architecture import Architecture, ImageSpec
from spaces.network import Network, build
from tests.workers.test_trainer import SMALL, learned, same_state, spec, toy
from workers import classification, trainer
from workers.flow import flow
from workers.measurement import Flow, Measurement
from workers.trainer import Trainer

IMAGE = ImageSpec(channels=1, height=8, width=8, classes=10)
DRAW = torch.Generator().manual_seed(0)
IMAGES = torch.randn(6, 1, 8, 8, generator=DRAW)
LABELS = torch.arange(6)

pytestmark = pytest.mark.usefixtures("one_thread")


def network(**fields: Any) -> Network:
    made = build(Architecture(**{"depths": (2, 1), "widths": (16, 32), "widening_factor": 1, **fields}), IMAGE,
                 generator=torch.Generator().manual_seed(0))  # fmt: skip
    assert isinstance(made, Network)
    return made.train()


def through(made: nn.Module, *batches: tuple[int, int]) -> tuple[Flow, ...]:
    """Return what comes through a network, by images from and to."""

    def loss_of(low: int, high: int) -> torch.Tensor:
        return classification.loss(made(IMAGES[low:high]), LABELS[low:high], smoothing=0.0)

    return flow(
        made, [(high - low, lambda low=low, high=high: loss_of(low, high)) for low, high in batches or [(0, 6)]]
    )


WITH = [
    {"block": "basic"}, {"block": "bottleneck"}, {"block": "preact"}, {"block": "basic", "branches": 2},
    {"block": "inception"}, {"block": "merge_run"}, {"block": "merge_run", "fusion": "concatenate"},
    {"shortcut": "scaled"}, {"shortcut": "gated"}, {"shortcut": "exclusive"},
    {"block": "resnext", "cardinality": 2}, {"block": "preact_bottleneck"}, {"block": "basic", "levels": 2},
]  # fmt: skip
WITHOUT = [
    {"block": "basic", "shortcut": "none"}, {"block": "conv"}, {"block": "dense", "growth": 4},
    {"block": "fractal", "columns": 2, "stem": "none"}, {"block": "separable"},
]  # fmt: skip


@pytest.mark.parametrize("fields", [*WITH, *WITHOUT], ids=str)
def test_every_kind_of_block_tells_its_gradient_and_those_with_a_shortcut_what_they_add(fields: dict[str, Any]) -> None:
    made = network(**fields)
    found = through(made)
    assert [each.block for each in found] == [
        f"{stage}.{number}" for stage, blocks in enumerate(made.stages, 1) for number in range(1, len(blocks) + 1)
    ]
    assert all(each.gradient is not None and each.gradient > 0 for each in found)
    known = [each.branch is not None and each.branch > 0 for each in found]
    assert known == [fields in WITH] * len(known)


@pytest.mark.parametrize("block", [{"block": "highway"}, {"block": "shuffle", "cardinality": 2}], ids=str)
def test_where_the_shape_changes_nothing_may_be_added(block: dict[str, Any]) -> None:
    found = through(network(**block, widths=(16, 32), depths=(2, 2)))
    assert {each.branch is not None: each.block for each in found} == {False: "2.1", True: found[-1].block}


def test_a_gradient_is_what_backward_leaves_at_a_blocks_output() -> None:
    made = network(block="basic")
    outs: list[torch.Tensor] = []
    hook = made.stages[0][1].register_forward_hook(lambda _block, _read, out: outs.append(out) or out.retain_grad())  # type: ignore[index,func-returns-value]
    made.eval()
    for norm in (each for each in made.modules() if isinstance(each, nn.BatchNorm2d)):
        norm.train()
    (6 * classification.loss(made(IMAGES), LABELS, smoothing=0.0)).backward()
    hook.remove()
    assert outs[0].grad is not None
    norms = outs[0].grad.flatten(1).norm(dim=1)
    found = {each.block: each.gradient for each in through(made)}
    assert found["1.2"] == pytest.approx(float(norms.square().mean().sqrt()), rel=1e-4)


def test_a_branch_is_told_by_what_is_added_to_it() -> None:
    made = network(block="preact")
    block = made.stages[0][1]  # type: ignore[index]
    terms: list[tuple[torch.Tensor, torch.Tensor]] = []
    hook = block.join.register_forward_pre_hook(lambda _join, given: terms.append((given[2], given[1])))
    through(made)
    hook.remove()
    branch, shortcut = (float(each.detach().norm()) for each in terms[0])
    assert {each.block: each.branch for each in through(made)}["1.2"] == pytest.approx(branch / shortcut, rel=1e-4)


def test_a_gate_weighs_both_terms_before_they_are_compared() -> None:
    told = {}
    for bias in (-20.0, 0.0):
        made = network(shortcut="exclusive", gate_bias=bias)
        told[bias] = {each.block: each.branch for each in through(made)}["1.2"]
    assert told[-20.0] == pytest.approx(0.0, abs=1e-6)
    assert told[0.0] > 0.01


def test_a_branch_of_nothing_and_a_shortcut_of_nothing() -> None:
    made = network(block="preact")
    with torch.no_grad():
        for weight in made.stages[0][1].branch.parameters():  # type: ignore[index]
            weight.zero_()
    assert {each.block: each.branch for each in through(made)}["1.2"] == 0.0
    nn.init.zeros_(made.stem[0].weight)  # type: ignore[index]
    assert {each.block: each.branch for each in through(made)}["1.2"] is None


def test_what_is_not_finite_is_not_known() -> None:
    made = network(block="basic")
    with torch.no_grad():
        made.stages[1][0].branch[0].weight.fill_(math.nan)  # type: ignore[index]
    found = {each.block: each for each in through(made)}
    assert (found["1.1"].gradient, found["2.1"].branch) == (None, None)


def test_batches_add_up_and_a_network_of_a_function_has_no_blocks() -> None:
    made = network(block="basic", order="relu_only")
    for norm in (each for each in made.modules() if isinstance(each, nn.BatchNorm2d)):
        norm.__class__ = type("Off", (nn.Identity,), {})  # that no image hangs on its batch
    whole, parts = through(made), through(made, (0, 4), (4, 6))
    assert [each.gradient for each in parts] == pytest.approx([each.gradient for each in whole], rel=1e-3)
    assert through(nn.Sequential(nn.Flatten(), nn.Linear(64, 10))) == ()


def test_a_network_is_left_as_it_was() -> None:
    made = network(block="basic", dropout="between", dropout_rate=0.3)
    made.stages[0].eval()
    held = {name: value.clone() for name, value in made.state_dict().items()}
    modes = [each.training for each in made.modules()]
    through(made)
    assert all(torch.equal(value, held[name]) for name, value in made.state_dict().items())
    assert [each.training for each in made.modules()] == modes
    assert all(each.grad is None for each in made.parameters())
    assert not any(each._forward_hooks or each._forward_pre_hooks for each in made.modules())


def test_a_deep_plain_networks_gradient_explodes_or_fades_and_a_residual_ones_does_not() -> None:
    def grown(**fields: Any) -> float:
        first, *_, last = through(network(depths=(16, 1), **fields))
        assert first.gradient is not None
        assert last.gradient is not None
        return first.gradient / last.gradient

    assert grown(block="basic", shortcut="none") > 30  # normalised (Yang et al. 2019)
    assert grown(block="biased_conv") < 0.5  # not normalised
    assert 1 < grown(block="basic") < 10


@pytest.mark.parametrize("dropout", ["none", "branch"])
def test_training_is_the_same_to_the_bit_whether_flow_is_recorded(dropout: str) -> None:
    rate = {"dropout_rate": 0.3} if dropout != "none" else {}
    given = spec(Architecture(**{**SMALL.to_json(), "dropout": dropout, **rate}), epochs=3)
    plain, told = Trainer(given, toy()), Trainer(given, toy())
    for _ in range(2):  # of three, so that there is an optimizer
        one, other = plain.run_epoch(), told.run_epoch(flow=True)
        assert learned(one) == learned(other)
        assert (bool(one.flow), bool(other.flow)) == (False, True)
    assert same_state(plain.state(), told.state())


def test_flow_is_told_where_the_network_is_measured_and_goes_through_json() -> None:
    found = list(trainer.train(spec(epochs=3), toy(), flow=True, measured=[2]))
    assert [bool(each.flow) for each in found] == [False, True, True]
    again = Measurement.from_json(found[1].to_json())
    assert again.flow == found[1].flow
    assert "flow" not in found[0].to_json()
    assert again == found[1]
