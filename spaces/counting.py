"""Count what a network costs, by passing a batch of no images through it: every layer runs, nothing is computed.

(On torch's meta device the first normalisation or ReLU imports torch's compiler: 2.4 s and 100 MB for each process.)
A network is counted block by block. A block's cost depends on its specification and the map it reads, and blocks
repeat, within a network and between the networks of a space; so each is passed once and remembered. The sum is what
one pass through the whole network gives (a test holds the two together), without any formula written twice.
"""

import math
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor, nn

from spaces.architecture import Architecture, BlockSpec, ImageSpec, plan
from spaces.blocks import BLOCKS
from spaces.cost import Cost
from spaces.network import Head, Stem, check_fits

Shape = tuple[int, int, int]  # c h w


def cost(architecture: Architecture, image: ImageSpec) -> Cost:
    """Count an architecture for one image.

    Raises:
        InfeasibleArchitecture: the image is too small for the strides.
    """
    return sum_costs(part for _, part in cost_by_part(architecture, image))


def sum_costs(parts: Iterable[Cost]) -> Cost:
    """Return the cost of all parts together."""
    total = Cost(params=0, macs=0, activations=0, weight_bytes=0)
    for part in parts:
        total = total + part
    return total


def cost_by_part(architecture: Architecture, image: ImageSpec) -> list[tuple[str, Cost]]:
    """Count stem, every block in order (named `stage.block` from 1) and head."""
    check_fits(architecture, image)
    described = plan(architecture)
    shape: Shape = (image.channels, image.height, image.width)
    counted, shape = _stem_cost(described.stem, described.stem_width, described.preactivated, shape)
    parts = [("stem", counted)]
    for number, stage in enumerate(described.stages, start=1):
        for index, spec in enumerate(stage, start=1):
            counted, shape = _block_cost(_without_dropout(spec), shape)
            parts.append((f"{number}.{index}", counted))
    parts.append(("head", _head_cost(described.preactivated, image.classes, shape)))
    return parts


def measure(module: nn.Module, shape: Shape) -> tuple[Cost, Shape]:
    """Count one module and return the shape it puts out, batch left out.

    Args:
        module: on the meta device, so that nothing was initialised for nothing.
        shape: what it reads.
    """
    macs = activations = 0

    def count(layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal macs, activations
        assert isinstance(layer, (nn.Conv2d, nn.Linear))  # hooked nowhere else
        outputs = math.prod(output.shape[1:])
        macs += outputs * layer.weight[0].numel()
        activations += outputs

    layers = [layer for layer in module.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    _allot(module.eval())
    with torch.inference_mode():
        output: Tensor = module(torch.empty(0, *shape))
    for hook in hooks:
        hook.remove()
    counted = Cost(
        params=sum(p.numel() for p in module.parameters()),
        macs=macs,
        activations=activations,
        weight_bytes=sum(t.numel() * t.element_size() for t in module.state_dict().values()),
    )
    return counted, _shape(output)


def _allot(module: nn.Module) -> None:
    """Give parameters memory that is never written. `Module.to_empty` would import sympy, 0.4 s, for the same."""
    for owner in module.modules():
        for name, parameter in owner.named_parameters(recurse=False):
            setattr(owner, name, nn.Parameter(torch.empty(parameter.shape)))
        for name, buffer in owner.named_buffers(recurse=False):
            setattr(owner, name, torch.empty(buffer.shape, dtype=buffer.dtype))


def _shape(output: Tensor) -> Shape:
    sizes = tuple(output.shape[1:])
    return (sizes[0], 1, 1) if len(sizes) == 1 else (sizes[0], sizes[1], sizes[2])


@lru_cache(maxsize=65536)
def _block_cost(spec: BlockSpec, shape: Shape) -> tuple[Cost, Shape]:
    with torch.device("meta"):
        block = BLOCKS[spec.kind](spec)
    return measure(block, shape)


def _without_dropout(spec: BlockSpec) -> BlockSpec:
    """Return the specification without dropout, which costs nothing, so that rates do not split the memory."""
    return replace(spec, dropout="none", dropout_rate=0.0)


@lru_cache(maxsize=4096)
def _stem_cost(kind: str, width: int, preactivated: bool, shape: Shape) -> tuple[Cost, Shape]:
    with torch.device("meta"):
        stem = Stem(kind, shape[0], width, preactivated=preactivated)
    return measure(stem, shape)


@lru_cache(maxsize=4096)
def _head_cost(preactivated: bool, classes: int, shape: Shape) -> Cost:
    with torch.device("meta"):
        head = Head(shape[0], classes, preactivated=preactivated)
    return measure(head, shape)[0]
