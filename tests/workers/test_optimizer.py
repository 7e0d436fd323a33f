"""A step is torch.optim's to the last bit, on one buffer; checkpoints of either are read by both."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from spaces.architecture import Architecture, ImageSpec
from spaces.network import build
from tests.workers.counted import counted
from workers.optimizer import AdamW, Flat, Sgd

SMALL = Architecture(depths=(1, 1), widths=(8, 16), stem_width=8)
IMAGE = ImageSpec(height=8, width=8, channels=2, classes=3)
Made = tuple[nn.Module, Any]


def network(layout: torch.memory_format = torch.contiguous_format) -> nn.Module:
    return build(SMALL, IMAGE, generator=torch.Generator().manual_seed(3)).to(memory_format=layout)


def groups(of: nn.Module, decay: float) -> list[dict[str, Any]]:
    weights, others = ([p for p in of.parameters() if (p.ndim > 1) is wanted] for wanted in (True, False))
    return [{"params": weights, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]


def flat_sgd(of: nn.Module, decay: float = 0.01, momentum: float = 0.9) -> Sgd:
    return Sgd(of, weight_decay=decay, momentum=momentum)


def torchs_sgd(of: nn.Module, decay: float = 0.01, momentum: float = 0.9) -> torch.optim.Optimizer:
    return torch.optim.SGD(groups(of, decay), lr=1.0, momentum=momentum, nesterov=momentum > 0)


def flat_adamw(of: nn.Module, decay: float = 0.01, momentum: float = 0.9) -> AdamW:
    return AdamW(of, weight_decay=decay, first_beta=momentum)


def torchs_adamw(of: nn.Module, decay: float = 0.01, momentum: float = 0.9) -> torch.optim.Optimizer:
    return torch.optim.AdamW(groups(of, decay), lr=1.0, betas=(momentum, 0.999))


PAIRS = [pytest.param(flat_sgd, torchs_sgd, id="sgd"), pytest.param(flat_adamw, torchs_adamw, id="adamw")]


def step(of: nn.Module, by: Any, number: int) -> None:
    """Take one step on images and at a rate that hang on its number alone."""
    images = torch.randn(4, 2, 8, 8, generator=torch.Generator().manual_seed(number))
    rate = 0.1 / (1 + number)
    by.zero() if isinstance(by, Flat) else by.zero_grad(set_to_none=True)
    of(images).square().mean().backward()
    if isinstance(by, Flat):
        by.step(rate)
        return
    for group in by.param_groups:
        group["lr"] = rate
    by.step()


def weights(of: nn.Module) -> list[Tensor]:
    return [held.detach().clone() for held in of.state_dict().values()]


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("decay", "momentum"), [(0.01, 0.9), (0.0, 0.9), (0.01, 0.0)])
@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_a_hundred_steps_end_where_torchs_end_to_the_last_bit(
    ours: Callable[..., Flat], theirs: Callable[..., Any], decay: float, momentum: float, layout: torch.memory_format
) -> None:
    one, other = network(layout), network(layout)
    flat, usual = ours(one, decay, momentum), theirs(other, decay, momentum)
    for number in range(100):
        step(one, flat, number)
        step(other, usual, number)
    assert same(one, other)
    assert not same(one, network(layout))


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@pytest.mark.parametrize("writer", ["ours", "theirs"])
def test_each_goes_on_from_what_the_other_has_written(
    ours: Callable[..., Flat], theirs: Callable[..., Any], writer: str
) -> None:
    made = {"ours": ours, "theirs": theirs}
    reader = "theirs" if writer == "ours" else "ours"
    one, other = network(), network()
    first, second = made[writer](one), made[reader](other)
    for number in range(5):
        step(one, first, number)
    other.load_state_dict(one.state_dict())
    second.load_state_dict(first.state_dict())
    for number in range(5, 10):
        step(one, first, number)
        step(other, second, number)
    assert same(one, other)


def test_a_parameter_without_a_gradient_has_the_gradient_0_and_its_momentum_goes_on() -> None:
    one, other = nn.Linear(3, 3), nn.Linear(3, 3)
    other.load_state_dict(one.state_dict())
    flat, usual = flat_sgd(one), torchs_sgd(other)
    for used in (True, False, False):
        flat.zero()
        for p in other.parameters():
            p.grad = torch.zeros_like(p)
        if used:
            for each in (one, other):
                each(torch.ones(2, 3)).sum().backward()
        flat.step(0.1)
        for group in usual.param_groups:
            group["lr"] = 0.1
        usual.step()
    assert same(one, other)


class Framed(nn.Module):
    """A network of a person's own, with weights that stay as they are before those that are trained."""

    def __init__(self) -> None:
        super().__init__()
        drawn = torch.Generator().manual_seed(5)
        self.fixed = nn.Parameter(torch.randn(6, 3, generator=drawn), requires_grad=False)
        self.learned = nn.Parameter(torch.randn(6, 3, generator=drawn))
        self.shift = nn.Parameter(torch.zeros(6), requires_grad=False)
        self.layer = nn.Linear(6, 2)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits of the first 3 pixels of the first channel."""
        pixels = images[:, 0, 0, :3]
        out: Tensor = self.layer((pixels @ (self.fixed + self.learned).T + self.shift).relu())
        return out


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_a_parameter_that_takes_no_gradient_stays_as_it_is(
    ours: Callable[..., Flat], theirs: Callable[..., Any]
) -> None:
    one, other = Framed(), Framed()
    other.load_state_dict(one.state_dict())
    fixed = one.fixed.clone()
    flat, usual = ours(one), theirs(other)
    for number in range(5):
        step(one, flat, number)
        step(other, usual, number)
    assert torch.equal(one.fixed, fixed)
    assert same(one, other)
    again = ours(other)
    again.load_state_dict(usual.state_dict())  # the numbers of both are those of the same parameters
    for number in range(5, 10):
        step(one, flat, number)
        step(other, again, number)
    assert same(one, other)


def test_a_parameter_that_is_a_slice_of_something_larger_has_a_part_of_its_own() -> None:
    made = nn.ParameterList([torch.arange(40.0).view(4, 10)[:, :3], torch.ones(4, 10), torch.ones(10, 4).T])
    before = [each.detach().clone() for each in made]
    flat = flat_sgd(made)
    assert all(torch.equal(each, held) for each, held in zip(made, before, strict=True))
    ends = [each.data_ptr() for each in made]
    assert all(end - begin >= each.nbytes for begin, end, each in zip(ends, ends[1:], made, strict=False))
    assert len(flat.values) == 16 + 48 + 48


def test_every_parameter_is_a_part_of_one_buffer_and_begins_where_64_bytes_do() -> None:
    made = network()
    flat = flat_sgd(made)
    ends = {flat.values.data_ptr(), flat.values.data_ptr() + flat.values.nbytes}
    for p in made.parameters():
        assert min(ends) <= p.data_ptr() < max(ends)
        assert (p.data_ptr() - flat.values.data_ptr()) % 64 == 0
        assert p.grad is not None
        assert p.grad.stride() == p.stride()


def test_the_largest_gradient_is_not_finite_where_one_is_not() -> None:
    made = network()
    flat = flat_sgd(made)
    step(made, flat, 0)
    assert torch.isfinite(flat.largest())
    list(made.parameters())[-1].grad[0] = float("nan")  # type: ignore[index]
    assert torch.isnan(flat.largest())


@pytest.mark.parametrize("made", [flat_sgd, flat_adamw])
def test_gradients_that_are_collected_train_what_gradients_that_are_added_up_do(made: Callable[..., Flat]) -> None:
    one, other = network(), network()
    added, collected = made(one), made(other)
    collected.collects = True  # as on a GPU
    for number in range(10):
        step(one, added, number)
        step(other, collected, number)
    assert same(one, other)
    assert all(p.grad is part for p, part in zip(collected.parameters, collected.parts, strict=True))
    with counted() as many:
        step(one, added, 10)
    with counted() as few:
        step(other, collected, 10)
    assert many["add_"] - few["add_"] == len(added.parameters)
    assert few["_foreach_copy_"] == 1


def test_a_gradient_that_there_is_none_of_is_collected_as_0() -> None:
    made = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    flat = flat_sgd(made)
    flat.collects = True
    for layer in (0, 1):
        flat.zero()
        made[layer](torch.ones(2, 3)).sum().backward()
        flat._collect()
        found = [p.grad for p in made.parameters()]
        assert [bool(each.any()) for each in found if each is not None] == [layer == 0] * 2 + [layer == 1] * 2


def autocast_step(of: nn.Module, by: Flat, number: int) -> None:
    images = torch.randn(4, 2, 8, 8, generator=torch.Generator().manual_seed(number))
    with torch.autocast("cpu", torch.bfloat16):
        logits = of(images)
    by.zero()
    logits.float().square().mean().backward()
    by.step(0.1)


@pytest.mark.parametrize("collects", [False, True])
@pytest.mark.parametrize("made", [flat_sgd, flat_adamw])
def test_copies_in_bfloat16_train_to_the_bit_what_autocast_does_by_fewer_operations(
    made: Callable[..., Flat], collects: bool
) -> None:
    one, other = network(torch.channels_last), network(torch.channels_last)
    cast, copied = made(one), made(other)
    copied.collects = collects
    with counted() as many:
        for number in range(5):
            autocast_step(one, cast, number)
    with counted() as few:
        for epoch in (0, 1):
            with copied.in_bfloat16():
                for number in range(3 * epoch, 3 + 2 * epoch):
                    autocast_step(other, copied, number)
    assert same(one, other)
    assert {p.dtype for p in other.parameters()} == {torch.float32}
    weights = sum(p.ndim > 1 for p in other.parameters())
    assert many["_to_copy"] - few["_to_copy"] >= 2 * 5 * weights - 10  # each weight and each gradient, at each step
    momenta = zip(cast.kept.values(), copied.kept.values(), strict=True)
    assert all(torch.equal(a, b) for a, b in momenta)


def test_what_fails_leaves_a_network_its_weights_in_full() -> None:
    made = network()
    flat = flat_sgd(made)
    before = weights(made)

    def fail() -> None:
        with flat.in_bfloat16():
            assert {p.dtype for p in made.parameters() if p.ndim > 1} == {torch.bfloat16}
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert all(torch.equal(a, b) for a, b in zip(before, weights(made), strict=True))


def test_a_state_of_another_network_is_refused() -> None:
    made = network()
    flat = flat_sgd(made)
    step(made, flat, 0)
    with pytest.raises(ValueError, match="of another network"):
        flat_sgd(nn.Linear(3, 3)).load_state_dict(flat.state_dict())


UNUSED = ("torch._dynamo", "torch._inductor", "sympy", "scipy", "pandas", "torchvision", "matplotlib")
TRAINING = f"""
import sys, torch
from spaces.architecture import Architecture
from workers.datasets import load
from workers.recipe import Recipe
from workers.sources import DataSpec
from workers.trainer import TrialSpec, train
data = DataSpec(name="digits")
spec = TrialSpec(architecture=Architecture(depths=(1, 1, 1)), recipe=Recipe(epochs=1), data=data, seed=0)
assert list(train(spec, load(data)))
print(*(name for name in {UNUSED} if name in sys.modules))
"""


def test_a_training_imports_nothing_of_what_it_does_not_use() -> None:
    done = subprocess.run([sys.executable, "-c", TRAINING], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
