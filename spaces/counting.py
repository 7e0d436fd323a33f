"""Count what a network costs, by passing a batch of no images through it: every layer runs, nothing is computed.

(On torch's meta device the first normalisation or ReLU imports torch's compiler: 2.4 s and 100 MB for each process.)
A network is counted block by block. A block's cost depends on its specification and the map it reads, and blocks
repeat, within a network and between the networks of a space; so each is passed once and remembered. The sum is what
one pass through the whole network gives (a test holds the two together), without any formula written twice.

`training_bytes` is an upper estimate for SGD with momentum in float32: four numbers for each parameter (itself, its
gradient, its momentum, and one in passing, where AdamW has its second moment), and for each image of a batch every
number that any operation puts out, since backward passes need no more than that and need most of it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import zip_longest
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own documentation names it so
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from spaces.architecture import Architecture, ImageSpec, OwnNetwork, plan
from spaces.blocks import BLOCKS, Level, block
from spaces.cost import Cost, sum_costs
from spaces.errors import InfeasibleArchitecture, InputError
from spaces.layers import Cosine
from spaces.network import Head, Stem, build_own, check_fits
from spaces.operations import Operations
from spaces.plan import BlockSpec, HeadSpec, LevelSpec, StemSpec

Shape = tuple[int, int, int]  # c h w
BATCH = 128  # images that `training_bytes` is for, where nothing is said
FLOAT = 4  # bytes
_WORKS = (nn.Conv2d, nn.Linear, Cosine)  # what multiplies and accumulates


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What was counted of one part of a network."""

    name: str  # stem, `stage.block` from 1, or head
    cost: Cost
    shape: Shape  # put out


def cost(architecture: Architecture, image: ImageSpec, *, batch: int = BATCH) -> Cost:
    """Count an architecture for one image, and what training holds for a batch of them.

    Raises:
        InfeasibleArchitecture: the image is too small for the strides, or the head too narrow for the classes.
    """
    return _cost(_undropped(architecture), image, batch)


def _undropped(architecture: Architecture) -> Architecture:
    """Return the network without dropout, which costs nothing, so that it is counted once whatever is dropped."""
    if architecture.dropout == "none" or isinstance(architecture, OwnNetwork):
        return architecture
    return replace(architecture, dropout="none", dropout_rate=0.0)


@lru_cache(maxsize=65536)
def _cost(architecture: Architecture, image: ImageSpec, batch: int) -> Cost:
    return sum_costs(part.cost for part in cost_by_part(architecture, image, batch=batch))


def cost_by_part(architecture: Architecture, image: ImageSpec, *, batch: int = BATCH) -> list[Part]:
    """Count stem, every block in order and head.

    Raises:
        InfeasibleArchitecture: as for `cost`.
    """
    if isinstance(architecture, OwnNetwork):
        return [_own_cost(architecture, image, batch)]
    check_fits(architecture, image)
    described = plan(architecture).reading(image.channels)
    counted, shape = _stem_cost(described.stem, (image.channels, image.height, image.width), batch)
    parts = [Part(name="stem", cost=counted, shape=shape)]
    begun = shape
    for number, (stage, level) in enumerate(zip_longest(described.stages, described.levels), start=1):
        before = shape
        for index, spec in enumerate(stage, start=1):
            counted, shape = _block_cost(_without_dropout(spec), shape, batch)
            parts.append(Part(name=f"{number}.{index}", cost=counted, shape=shape))
        if level is not None:
            parts.append(Part(name=f"{number}.level", cost=_level_cost(level, before, shape, batch), shape=shape))
    if described.root is not None:
        counted = _level_cost(described.root, begun, shape, batch)
        parts.append(Part(name=f"{len(described.stages)}.root", cost=counted, shape=shape))
    head = replace(described.head, dropout_rate=0.0, scale=1.0)
    counted, shape = _head_cost(head, image.classes, shape, batch)
    return [*parts, Part(name="head", cost=counted, shape=shape)]


def _own_cost(architecture: OwnNetwork, image: ImageSpec, batch: int) -> Part:
    what, reads = architecture.network, (image.channels, image.height, image.width)
    counted, shape = measure_foreign(lambda: build_own(architecture, image), reads, what, batch=batch)
    if shape != (image.classes, 1, 1):
        said = "x".join(map(str, shape))
        raise InputError(f"{what} returns {said} for an image; logits of {image.classes} classes are wanted")
    return Part(name="network", cost=counted, shape=shape)


class _EveryOutput(TorchFunctionMode):
    """Add up the numbers, for one image, that operations put out; a dispatch mode would import torch's compiler."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation and count what it puts out; a convolution would first copy its weights, however many."""
        out = _convolved(*args) if func is F.conv2d else func(*args, **(kwargs or {}))
        for each in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(each, Tensor) and each.ndim > 1 and len(each) == 0:  # of a batch, not of the weights
                self.numbers += math.prod(each.shape[1:])
        return out


def _convolved(
    x: Tensor, weight: Tensor, _bias: Tensor | None, stride: Any, padding: Any, dilation: Any, _groups: int
) -> Tensor:
    """Return what a convolution of no images puts out."""
    sizes = (
        (size + 2 * pad - spread * (kernel - 1) - 1) // step + 1
        for size, kernel, step, pad, spread in zip(
            x.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True
        )
    )
    return x.new_empty(0, weight.shape[0], *sizes)


def measure(module: nn.Module, shape: Shape, *, batch: int = BATCH) -> tuple[Cost, Shape]:
    """Count one module and return the shape it puts out, batch left out.

    Args:
        module: on the meta device, so that nothing was initialised for nothing.
        shape: what it reads.
        batch: images that `training_bytes` is for.
    """
    macs = activations = 0

    def count(layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal macs, activations
        assert isinstance(layer, _WORKS)  # hooked nowhere else
        outputs = math.prod(output.shape[1:])
        macs += outputs * layer.weight[0].numel()
        activations += outputs

    hooks = [layer.register_forward_hook(count) for layer in module.modules() if isinstance(layer, _WORKS)]
    _allot(module.eval())
    with torch.inference_mode(), _EveryOutput() as seen:
        output: Tensor = module(torch.empty(0, *shape))
    for hook in hooks:
        hook.remove()
    return _counted(module, macs, activations, seen.numbers, batch), _shape(output)


def _counted(module: nn.Module, macs: int, activations: int, numbers: int, batch: int) -> Cost:
    params = sum(p.numel() for p in module.parameters())
    weight_bytes = sum(t.numel() * t.element_size() for t in module.state_dict().values())
    return Cost(
        params=params,
        macs=macs,
        activations=activations,
        weight_bytes=weight_bytes,
        training_bytes=weight_bytes + 3 * FLOAT * params + batch * FLOAT * numbers,
    )


def _allot(module: nn.Module) -> None:
    """Give parameters and buffers their shapes with one number behind each: what is counted may fit no memory."""
    alike: dict[nn.Parameter, nn.Parameter] = {}  # one that stands in two places is one
    for owner in module.modules():
        for name, parameter in list(owner.named_parameters(recurse=False, remove_duplicate=False)):
            if parameter not in alike:
                alike[parameter] = nn.Parameter(torch.empty(()).expand(parameter.shape))
            setattr(owner, name, alike[parameter])
        for name, buffer in owner.named_buffers(recurse=False):
            setattr(owner, name, torch.empty((), dtype=buffer.dtype).expand(buffer.shape))


def _shape(output: Tensor) -> Shape:
    sizes = tuple(output.shape[1:])
    return (sizes[0], 1, 1) if len(sizes) == 1 else (sizes[0], sizes[1], sizes[2])


@lru_cache(maxsize=65536)
def _block_cost(spec: BlockSpec, shape: Shape, batch: int) -> tuple[Cost, Shape]:
    if spec.kind in BLOCKS:
        with torch.device("meta"):
            built = block(spec)
        return measure(built, shape, batch=batch)
    wanted = (spec.out_width, *(-(-size // spec.stride) for size in shape[1:]))
    name = spec.kind.partition("@")[0]
    counted, found = measure_foreign(lambda: block(spec), shape, f"block {name}", batch=batch)
    if found != wanted:
        given, said, due = ("x".join(map(str, sizes)) for sizes in (shape, found, wanted))
        raise InputError(f"block {name} makes {said} of {given}; with stride {spec.stride} it has to make {due}")
    return counted, found


def measure_foreign(
    make: Callable[[], nn.Module], shape: Shape, what: str, *, batch: int = BATCH
) -> tuple[Cost, Shape]:
    """Count a module whose layers are not ours, by the operations that it runs on one image.

    Args:
        make: returns it.
        shape: what it reads, `c h w`.
        what: it is, for errors.
        batch: images that `training_bytes` is for.

    Raises:
        InfeasibleArchitecture: nobody can make it.
        InputError: it is not made, does not run, or runs an operation that cannot be counted.
    """
    try:
        with torch.device("meta"):
            module = make()
        _allot(module)
        return _passed(module, shape, batch)
    except InfeasibleArchitecture:
        raise
    except Exception:  # perhaps because it looks at its numbers, or changes them: there are none
        with torch.random.fork_rng(devices=[]):
            module = make()
    try:
        return _passed(module, shape, batch)
    except Exception as error:  # whatever a person's code raises
        said = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        raise InputError(f"{what} cannot be counted on an image of {'x'.join(map(str, shape))}: {said}") from error


def _passed(module: nn.Module, shape: Shape, batch: int) -> tuple[Cost, Shape]:
    """Let one image pass through a module whose layers are not ours."""
    if any(isinstance(each, torch.jit.ScriptModule) for each in module.modules()):
        raise InputError("is compiled by torch.jit, which shows nobody what it runs")
    module.eval()
    with torch.inference_mode(), Operations() as seen:
        output: Tensor = module(torch.zeros(1, *shape))
    return _counted(module, seen.macs, seen.activations, seen.numbers, batch), _shape(output)


def _without_dropout(spec: BlockSpec) -> BlockSpec:
    """Return the specification without dropout, which costs nothing, so that rates do not split the memory."""
    if spec.dropout == "none" and not spec.unit_rate:
        return spec
    return replace(spec, dropout="none", dropout_rate=0.0, drop_unit="batch", drop_global=0.0, unit_rate=0.0)


class _Beside(nn.Module):
    """A shortcut around blocks, without the blocks."""

    def __init__(self, spec: LevelSpec, made: Tensor) -> None:
        super().__init__()
        self.level = Level(spec)
        self.made = made

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum with what the blocks are said to have made."""
        out: Tensor = self.level(x, self.made)
        return out


@lru_cache(maxsize=4096)
def _level_cost(spec: LevelSpec, shape: Shape, made: Shape, batch: int) -> Cost:
    given = torch.empty(0, *made)
    with torch.device("meta"):
        beside = _Beside(spec, given)
    return measure(beside, shape, batch=batch)[0]


@lru_cache(maxsize=4096)
def _stem_cost(spec: StemSpec, shape: Shape, batch: int) -> tuple[Cost, Shape]:
    with torch.device("meta"):
        stem = Stem(spec, shape[0])
    return measure(stem, shape, batch=batch)


@lru_cache(maxsize=4096)
def _head_cost(spec: HeadSpec, classes: int, shape: Shape, batch: int) -> tuple[Cost, Shape]:
    with torch.device("meta"):
        head = Head(spec, classes)
    return measure(head, shape, batch=batch)
