"""Compare convolutions and their gradients with the same in float64, the arithmetic that no fast path touches."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from spaces.layers import conv
from spaces.plan import Conv
from workers.numerics import Numerics

CPU = torch.device("cpu")

# Of the largest number of a tensor. Sums of thousands of float32 products differ by 1e-6 to 1e-5, of bfloat16 by 1e-2;
# the faults looked for are of the size of the numbers themselves.
BOUNDS = {False: 1e-3, True: 6e-2}
TF32_BOUND = 2e-2  # of float32 on a GPU, whose convolutions round what they multiply to ten bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One convolution on a batch of maps."""

    conv: Conv
    size: int  # of the map, whose two sides are equal
    batch: int = 8

    def __str__(self) -> str:
        given = self.conv
        shape = f"{given.kernel}x{given.kernel} {given.in_width}->{given.out_width}"
        return f"{shape} stride {given.stride} groups {given.groups} on {self.size}x{self.size}"


def _cases() -> Iterator[Case]:
    for width in (2, 4, 6, 12, 16):
        for kernel, stride in ((1, 1), (1, 2), (3, 1), (3, 2)):
            yield Case(conv=Conv(in_width=width, out_width=2 * width, kernel=kernel, stride=stride), size=8)
        for stride in (1, 2):
            yield Case(conv=Conv(in_width=width, out_width=width, kernel=3, stride=stride, groups=2), size=7)
            yield Case(conv=Conv(in_width=width, out_width=width, kernel=3, stride=stride, groups=width), size=8)
    yield Case(conv=Conv(in_width=1, out_width=16, kernel=3), size=8)
    yield Case(conv=Conv(in_width=3, out_width=16, kernel=7, stride=2), size=16)


CASES = tuple(_cases())


def errors(case: Case, numerics: Numerics, *, device: torch.device = CPU) -> dict[str, float]:
    """Return how far output and both gradients are from float64, as a share of the largest number of each.

    A number that is not finite is infinitely far.
    """
    drawn = torch.Generator().manual_seed(case.conv.in_width)
    images = torch.randn(case.batch, case.conv.in_width, case.size, case.size, generator=drawn)
    layer = conv(case.conv)
    with torch.no_grad():
        layer.weight.normal_(generator=drawn)
    layer = layer.to(device)
    if numerics.bfloat16:  # so that what is compared is the arithmetic and not the rounding of what goes in
        images, layer.weight.data = images.bfloat16().float(), layer.weight.data.bfloat16().float()
    before = torch.backends.mkldnn.enabled
    numerics.apply()
    try:
        layer = layer.to(memory_format=numerics.memory_format)
        found = _run(layer, images.to(device, memory_format=numerics.memory_format), numerics, device)
    finally:
        torch.backends.mkldnn.set_flags(before)  # type: ignore[no-untyped-call]  # torch's own
    exact = _run(layer.double().to(memory_format=torch.contiguous_format), images.to(device).double(), None, device)
    return {name: _distance(found[name], exact[name]) for name in exact}


def _run(layer: torch.nn.Conv2d, images: Tensor, numerics: Numerics | None, device: torch.device) -> dict[str, Tensor]:
    layer.weight.grad = None
    images = images.detach().requires_grad_()
    with torch.autocast(device.type, torch.bfloat16, enabled=bool(numerics and numerics.bfloat16)):
        out = layer(images)
    numbers = torch.linspace(-1, 1, out.numel(), device=device).reshape(out.shape).bfloat16()
    out.backward(numbers.to(out.dtype))
    assert images.grad is not None
    assert layer.weight.grad is not None
    return {"output": out.detach(), "images": images.grad.clone(), "weights": layer.weight.grad.clone()}


def _distance(found: Tensor, exact: Tensor) -> float:
    if not torch.isfinite(found).all():
        return float("inf")
    return float((found.double() - exact).abs().max() / exact.abs().max().clamp_min(1e-30))


def bound(numerics: Numerics, device: torch.device) -> float:
    """Return how far a result may be from float64."""
    return max(BOUNDS[numerics.bfloat16], TF32_BOUND if device.type == "cuda" else 0.0)


def wrong(numerics: Numerics, *, device: torch.device = CPU) -> str:
    """Return the first case that is beyond its bound, and by what; nothing where all are right.

    Each is computed twice: what is wrong can be wrong now and then.
    """
    for case in CASES * 2:
        for what, error in errors(case, numerics, device=device).items():
            if error > bound(numerics, device):
                return f"{what} of {case} off by {error:.2g}"
    return ""
