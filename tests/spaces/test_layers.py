"""Test `spaces.layers`."""

import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from spaces.layers import Cosine, CReLU, DropBranch, Droppable, PadShortcut, PoolShortcut, activation, conv
from spaces.plan import Conv
from tests.spaces.grammar import seeded


def maps(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=seeded(3), dtype=torch.float64)


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_a_convolution_keeps_the_map_but_for_its_stride(kernel: int, stride: int) -> None:
    layer = conv(Conv(in_width=2, out_width=4, kernel=kernel, stride=stride))
    assert layer(torch.zeros(1, 2, 9, 6)).shape == (1, 4, math.ceil(9 / stride), math.ceil(6 / stride))


def test_a_convolution_is_grouped_and_biased_as_told() -> None:
    layer = conv(Conv(in_width=6, out_width=12, kernel=3, groups=3), bias=True)
    assert (layer.weight.shape, layer.groups) == ((12, 2, 3, 3), 3)
    assert layer.bias is not None
    assert conv(Conv(in_width=6, out_width=12, kernel=3)).bias is None


def test_a_crelu_is_both_signs_one_after_the_other() -> None:
    x = maps(2, 3, 4, 5)
    out = CReLU()(x)
    assert torch.equal(out[:, :3], x.clamp(min=0))
    assert torch.equal(out[:, 3:], (-x).clamp(min=0))
    assert torch.equal(out[:, :3] - out[:, 3:], x)


def test_a_crelu_stands_exactly_where_twice_the_width_is_read() -> None:
    assert isinstance(activation(8, 8), nn.ReLU)
    assert isinstance(activation(4, 8), CReLU)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_padding_takes_every_other_pixel_and_appends_channels_of_nought(stride: int) -> None:
    x = maps(2, 3, 9, 7)
    shortcut = PadShortcut(2, stride)
    out = shortcut(x)
    assert torch.equal(out[:, :3], x[:, :, ::stride, ::stride])
    assert out.shape[1] == 5
    assert not out[:, 3:].any()
    assert not list(shortcut.parameters())


@pytest.mark.parametrize(("height", "width"), [(8, 6), (9, 7), (1, 2), (1, 1), (5, 8)])
@pytest.mark.parametrize("stride", [2, 3])
def test_pooling_averages_what_there_is_and_keeps_sizes_as_a_convolution_does(
    height: int, width: int, stride: int
) -> None:
    x = maps(2, 3, height, width)
    shortcut = PoolShortcut(2, stride)
    out = shortcut(x)
    assert out.shape == (2, 5, *conv(Conv(in_width=3, out_width=1, kernel=3, stride=stride)).double()(x).shape[2:])
    for row in range(out.shape[2]):
        for column in range(out.shape[3]):
            window = x[:, :, stride * row : stride * (row + 1), stride * column : stride * (column + 1)]
            torch.testing.assert_close(out[:, :3, row, column], window.mean(dim=(2, 3)))
    assert not out[:, 3:].any()
    assert not list(shortcut.parameters())


def test_a_branch_dropped_for_a_batch_is_nought_or_whole_in_training() -> None:
    torch.manual_seed(0)
    x, drop = maps(3, 2, 4, 4), DropBranch(0.25, "batch")
    outs = [drop(x) for _ in range(400)]
    whole = [torch.equal(out, x) for out in outs]
    assert all(kept or not out.any() for kept, out in zip(whole, outs, strict=True))
    assert sum(whole) / 400 == pytest.approx(0.75, abs=0.08)


def test_a_branch_dropped_for_a_batch_is_scaled_by_its_share_kept_in_evaluation() -> None:
    x = maps(3, 2, 4, 4)
    torch.testing.assert_close(DropBranch(0.25, "batch").eval()(x), 0.75 * x)


def test_a_branch_dropped_for_a_sample_is_nought_or_divided_by_its_share_kept_in_training() -> None:
    torch.manual_seed(0)
    x, drop = maps(400, 2, 4, 4), DropBranch(0.25, "sample")
    out = drop(x)
    kept = out.flatten(1).any(dim=1)
    torch.testing.assert_close(out[kept], x[kept] / 0.75)
    assert kept.double().mean().item() == pytest.approx(0.75, abs=0.08)


def test_a_branch_dropped_for_a_sample_is_whole_in_evaluation() -> None:
    x = maps(3, 2, 4, 4)
    assert torch.equal(DropBranch(0.25, "sample").eval()(x), x)


@pytest.mark.parametrize("unit", ["batch", "sample"])
def test_a_dropped_branch_is_on_average_in_training_what_it_is_in_evaluation(unit: str) -> None:
    torch.manual_seed(1)
    drop, x = DropBranch(0.4, unit), torch.ones(1, 1, 1, 1, dtype=torch.float64)
    drawn = torch.stack([drop(x) for _ in range(4000)]).mean().item()
    assert drawn == pytest.approx(drop.eval()(x).item(), abs=0.05)


@pytest.mark.parametrize("unit", ["batch", "sample"])
def test_a_dropped_branch_learns_nothing_and_a_kept_one_does(unit: str) -> None:
    torch.manual_seed(2)
    drop, seen = DropBranch(0.5, unit), set()
    for _ in range(30):
        x = maps(1, 2, 3, 3).requires_grad_()
        out = drop(x)
        out.sum().backward()
        assert x.grad is not None
        assert bool(x.grad.any()) == bool(out.any())
        seen.add(bool(out.any()))
    assert seen == {True, False}


def droppable(unit: str = "batch") -> Droppable:
    torch.manual_seed(4)
    return Droppable(nn.Conv2d(2, 2, 3, padding=1), nn.BatchNorm2d(2), DropBranch(0.5, unit)).double()


def test_a_branch_that_is_dropped_whole_is_not_computed() -> None:
    branch, x, computed = droppable(), maps(3, 2, 4, 4), []
    branch[0].register_forward_hook(lambda *_given: computed.append(True))
    whole = [bool((x + branch(x) != x).any()) for _ in range(40)]
    assert 0 < sum(whole) == len(computed) < 40
    branch.eval()(x)
    assert len(computed) == sum(whole) + 1


def test_what_is_not_computed_changes_no_bit_of_what_is_added_up_or_learned() -> None:
    branch = droppable()
    for seed in range(20):
        found = []
        for forward in (branch, lambda x: nn.Sequential.forward(branch, x)):
            torch.manual_seed(seed)
            branch.zero_grad()
            x = maps(3, 2, 4, 4).requires_grad_()
            out = x + forward(x)
            out.square().sum().backward()
            learned = [torch.zeros_like(p) if p.grad is None else p.grad for p in branch.parameters()]
            found.append([out, x.grad, *learned, torch.rand(())])
        assert all(torch.equal(*pair) for pair in zip(*found, strict=True))


def test_a_branch_dropped_for_samples_is_computed() -> None:
    branch, x = droppable("sample"), maps(3, 2, 4, 4)
    assert all(branch(x).shape == x.shape for _ in range(10))


def cosine(width: int = 8, classes: int = 5, scale: float = 16.0) -> Cosine:
    layer = Cosine(width, classes, scale)
    layer.reset(seeded(0))
    return layer


@pytest.mark.parametrize("scale", [1.0, 16.0])
def test_cosine_logits_lie_between_nought_and_the_scale(scale: float) -> None:
    layer = cosine(scale=scale)
    logits = layer(100 * maps(500, 8).float())
    assert logits.shape == (500, 5)
    assert logits.min() >= 0
    assert 0.9 * scale < logits.max() <= scale * (1 + 1e-6)


def test_a_direction_and_its_opposite_have_the_whole_scale_of_their_class_and_none_of_another() -> None:
    layer = cosine()
    for features in (3 * layer.weight, -0.1 * layer.weight):
        torch.testing.assert_close(layer(features), 16 * torch.eye(5), atol=1e-4, rtol=0)


def test_cosine_logits_are_those_of_the_formula_and_ask_nothing_of_the_length() -> None:
    layer, x = cosine(), maps(7, 8).float()
    expected = 16 * F.cosine_similarity(x[:, None], layer.weight[None], dim=2).abs()
    torch.testing.assert_close(layer(x), expected)
    torch.testing.assert_close(layer(1000 * x), expected)
    assert not layer(torch.zeros(2, 8)).any()


@pytest.mark.parametrize(("width", "classes"), [(8, 5), (8, 8), (1, 1)])
def test_cosine_directions_are_orthonormal(width: int, classes: int) -> None:
    directions = cosine(width, classes).weight
    torch.testing.assert_close(directions @ directions.T, torch.eye(classes), atol=1e-5, rtol=0)


def test_cosine_directions_are_fixed_and_saved() -> None:
    layer = cosine()
    assert not list(layer.parameters())
    other = cosine().eval()
    other.reset(seeded(1))
    assert not torch.equal(other.weight, layer.weight)
    assert layer.state_dict().keys() == {"weight"}
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(torch.ones(1, 8)), layer(torch.ones(1, 8)))


@pytest.mark.parametrize(("dtype", "close"), [(torch.float64, 1e-6), (torch.bfloat16, 0.2), (torch.float16, 0.03)])
def test_cosine_directions_survive_another_precision(dtype: torch.dtype, close: float) -> None:
    x = maps(7, 8)
    expected = cosine()(x.float())
    layer = cosine().to(dtype)
    assert layer.weight.dtype == dtype
    logits = layer(x.to(dtype))
    torch.testing.assert_close(logits.float(), expected, atol=close * 16 / 2, rtol=0)
