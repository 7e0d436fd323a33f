"""Networks of one plan that lie side by side compute what each computes alone, or are refused with a reason."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from spaces.architecture import Architecture, ImageSpec, OwnNetwork
from spaces.errors import InputError
from spaces.kinds import KINDS
from spaces.network import build, monte_carlo
from spaces.packable import refusal
from spaces.packs import Pack
from tests.spaces.grammar import contract, small, told

IMAGE = ImageSpec(channels=2, height=8, width=8, classes=5)
SEEDS = (7, 8, 9)
LAYOUTS = (torch.contiguous_format, torch.channels_last)
ROWS: list[dict[str, Any]] = [
    *({"block": block} for block in KINDS),
    *({"shortcut": shortcut} for shortcut in ("A", "pool", "gated", "exclusive", "conv", "none")),
    *({"dropout": where, "dropout_rate": 0.3} for where in ("between", "after", "shortcut", "head")),
    *({"dropout": "branch", "dropout_rate": 0.3, "drop_unit": unit} for unit in ("batch", "sample")),
    *({"head": head} for head in ("cosine", "pointwise", "layers", "dropped_layers")),
    {"dropout": "swapout", "dropout_rate": 0.3},
    {"activation": "crelu"},
    {"attention": "squeeze_excite", "reduction": 2},
    {"branches": 3, "block": "preact"},
    {"levels": 3},
]  # fmt: skip


def members(architecture: Architecture, count: int = 3) -> list[nn.Module]:
    """Return networks with weights of their own, in double precision."""
    return [build(architecture, IMAGE, generator=torch.Generator().manual_seed(seed)).double() for seed in range(count)]


def images(place: int, layout: torch.memory_format) -> Tensor:
    drawn = torch.randn(4, 2, 8, 8, generator=torch.Generator().manual_seed(place), dtype=torch.float64)
    return drawn.contiguous(memory_format=layout)


def alone(network: nn.Module, place: int, x: Tensor) -> Tensor:
    """Return what a network says that draws by its own seed, and leave its gradients behind."""
    with torch.random.fork_rng():
        torch.manual_seed(SEEDS[place])
        logits: Tensor = network(x)
    if logits.requires_grad:
        logits.square().sum().backward()
    return logits.detach()


def together(pack: Pack, layout: torch.memory_format) -> Tensor:
    pack.members.begin(SEEDS, torch.device("cpu"))
    logits = pack(torch.cat([images(place, layout) for place in range(3)], dim=1).contiguous(memory_format=layout))
    if logits.requires_grad:
        logits.square().sum().backward()
    return logits.detach()


def check(architecture: Architecture, layout: torch.memory_format) -> None:
    """Compare outputs, gradients and statistics of a pack and its members."""
    networks = [each.to(memory_format=layout) for each in members(architecture)]
    pack = Pack(networks)
    found = together(pack, layout)
    for place, network in enumerate(networks):
        torch.testing.assert_close(found[:, place], alone(network, place, images(place, layout)), rtol=1e-8, atol=1e-8)
        names = [name for name, _ in network.named_parameters()]
        assert names == [name for name, _ in pack.network.named_parameters()]
        for name, weights in pack.network.named_parameters():
            own = network.get_parameter(name)
            gradient = torch.zeros_like(own) if own.grad is None else own.grad  # of a branch that was dropped
            torch.testing.assert_close(pack.part(weights.grad, place), gradient, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("row", ROWS, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS, ids=["first", "last"])
def test_a_member_of_a_pack_computes_what_it_computes_alone(row: dict[str, Any], layout: torch.memory_format) -> None:
    check(small(**{"block": "basic", **row}), layout)


@pytest.mark.slow
@pytest.mark.parametrize("row", contract(), ids=told)
def test_every_architecture_is_packed_or_refused(row: dict[str, Any]) -> None:
    architecture = small(**row)
    if refusal(architecture):
        with pytest.raises(InputError, match="keeps networks apart"):
            Pack(members(architecture))
    else:
        check(architecture, torch.contiguous_format)


@pytest.mark.parametrize("passes", [False, True])
def test_at_evaluation_too_with_and_without_draws(passes: bool) -> None:
    networks = members(small("basic", dropout="between", dropout_rate=0.3))
    pack = Pack(networks)
    for each in (pack.network, *networks):
        each.eval()
    with torch.inference_mode():
        for place, network in enumerate(networks):
            if passes:
                with monte_carlo(network), monte_carlo(pack.network):
                    pair = together(pack, LAYOUTS[0])[:, place], alone(network, place, images(place, LAYOUTS[0]))
            else:
                pair = together(pack, LAYOUTS[0])[:, place], alone(network, place, images(place, LAYOUTS[0]))
            torch.testing.assert_close(*pair, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("where", ["between", "swapout", "branch"])
def test_members_may_drop_at_rates_of_their_own(where: str) -> None:
    described = [small("basic", dropout=where, dropout_rate=rate) for rate in (0.1, 0.3, 0.6)]
    networks = [members(each)[place] for place, each in enumerate(described)]
    found = together(Pack(networks), LAYOUTS[1])
    for place, network in enumerate(networks):
        expected = alone(network, place, images(place, LAYOUTS[1]))
        torch.testing.assert_close(found[:, place], expected, rtol=1e-8, atol=1e-8)


def test_what_is_not_finite_in_one_member_reaches_no_other() -> None:
    networks = members(small("resnext"))
    expected = alone(networks[1], 1, images(1, LAYOUTS[1]))
    with torch.no_grad():
        for weights in networks[0].parameters():
            weights.fill_(torch.nan)
    pack = Pack(networks)
    found = together(pack, LAYOUTS[1])
    assert found[:, 0].isnan().all()
    torch.testing.assert_close(found[:, 1], expected, rtol=1e-8, atol=1e-8)
    for weights in pack.network.parameters():
        assert pack.part(weights.grad, 0).isnan().any()
        assert pack.part(weights.grad, 1).isfinite().all()


def test_members_that_share_are_trained_with_the_pack_and_keep_plain_weights() -> None:
    networks = members(small("preact"))
    pack = Pack(networks)
    pack.share(networks)
    with torch.no_grad():
        for weights in pack.network.parameters():
            weights.add_(1)
    fresh = members(small("preact"))
    for network, before in zip(networks, fresh, strict=True):
        assert network.state_dict().keys() == before.state_dict().keys()
        for name, weights in before.named_parameters():
            torch.testing.assert_close(network.get_parameter(name), weights + 1)
    found = together(pack, LAYOUTS[0])
    statistics = [networks[2].state_dict()[name] for name in networks[2].state_dict() if "running_mean" in name]
    assert all(held.abs().sum() > 0 for held in statistics)
    torch.testing.assert_close(found[:, 2], alone(networks[2], 2, images(2, LAYOUTS[0])))


@pytest.mark.parametrize(
    "other", [{"widths": (8, 12, 16)}, {"order": "full"}, {"dropout": "after", "dropout_rate": 0.1}]
)
def test_networks_of_several_plans_are_no_pack(other: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="of several plans are no pack"):
        Pack([*members(small("basic"), 1), *members(small("basic", **other), 1)])


def test_what_no_pack_can_hold_is_told_before_anything_is_built() -> None:
    paths = small("fractal", columns=2, dropout="path", dropout_rate=0.1)
    assert refusal(paths) == "dropout path computes other columns for each member"
    assert "a function's network" in refusal(OwnNetwork(network="mine:net", source="0"))
    assert refusal(replace(paths, dropout="none")) == ""
