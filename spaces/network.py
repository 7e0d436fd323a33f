"""Build the network of an architecture: stem, stages of blocks, head. Reads `n c h w`, returns logits `n k`."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from spaces.architecture import Architecture, ImageSpec, OwnNetwork, plan
from spaces.blocks import BLOCKS, Level, block
from spaces.errors import InfeasibleArchitecture, InputError
from spaces.fields import LAYERED
from spaces.layers import Cosine, DropBranch, DropPath, Gate, HiddenLayers, Swapout, activation, conv, draw_column
from spaces.packages import function_of
from spaces.plan import Conv, HeadSpec, Plan, StemSpec


class Stem(nn.Sequential):
    """One convolution, then BN, ReLU and max-pool where the specification has them; or nothing."""

    def __init__(self, spec: StemSpec, channels: int) -> None:
        first = Conv(in_width=channels, out_width=spec.conv_width, kernel=spec.kernel, stride=spec.stride)
        layers: list[nn.Module] = (
            [conv(first, bias=spec.bias, border=2 if spec.narrow else None)] if spec.kernel else []
        )
        layers += [nn.BatchNorm2d(spec.conv_width)] if spec.norm else []
        layers += [activation(spec.conv_width, spec.width)] if spec.activated else []
        pool = nn.MaxPool2d(3, 2, ceil_mode=True) if spec.narrow else nn.MaxPool2d(3, 2, 1)
        layers += [pool] if spec.pool else []
        super().__init__(*layers)


class Head(nn.Module):
    """BN and ReLU where the last block leaves its sum raw, mean over the map, dropout, classifier; or more layers."""

    def __init__(self, spec: HeadSpec, classes: int) -> None:
        super().__init__()
        before = [nn.BatchNorm2d(spec.width)] if spec.norm else []
        self.norm = nn.Sequential(*before, *([nn.ReLU()] if spec.activated else []))
        width = spec.hidden or spec.width
        self.hidden = _hidden(spec)
        self.flat = spec.kind in LAYERED
        self.dropout = nn.Identity() if self.flat else nn.Dropout(spec.dropout_rate)
        linear = spec.kind != "cosine"
        self.classifier = nn.Linear(width, classes) if linear else Cosine(width, classes, spec.scale)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits `n k`."""
        features = self.hidden(self.norm(x))
        logits: Tensor = self.classifier(self.dropout(features if self.flat else features.mean(dim=(2, 3))))
        return logits


def _hidden(spec: HeadSpec) -> nn.Module:
    """Return what stands before the classifier."""
    if spec.kind in LAYERED:
        dropped = spec.kind == "dropped_layers"
        return HiddenLayers(spec.width, spec.hidden, spec.map, spec.dropout_rate, dropped=dropped)
    pointwise = Conv(in_width=spec.width, out_width=spec.hidden, kernel=1)
    return nn.Sequential(*([conv(pointwise, bias=True), nn.ReLU()] if spec.hidden else []))


class Network(nn.Module):
    """head(stages(stem(x)))."""

    def __init__(self, described: Plan, image: ImageSpec) -> None:
        super().__init__()
        self.stem = Stem(described.stem, image.channels)
        self.stages = nn.Sequential(*(nn.Sequential(*map(block, stage)) for stage in described.stages))
        self.levels = nn.ModuleList(map(Level, described.levels))
        self.root = None if described.root is None else Level(described.root)
        self.head = Head(described.head, image.classes)
        self.paths = [layer for layer in self.modules() if isinstance(layer, DropPath)]

    def forward(self, x: Tensor) -> Tensor:
        """Return logits `n k` for images `n c h w`."""
        draw_column(self.paths)
        begun = x = self.stem(x)
        for stage, level in zip_longest(self.stages, self.levels):
            x = stage(x) if level is None else level(x, stage(x))
        logits: Tensor = self.head(x if self.root is None else self.root(begun, x))
        return logits


def build(
    architecture: Architecture, image: ImageSpec, *, generator: torch.Generator | None = None, drawn: bool = True
) -> nn.Module:
    """Return a freshly initialised network, which reads images `n c h w` and returns logits `n k`.

    A function of a person's own initialises its network itself. Else convolutions are He-normal by fan-out, gammas 1,
    betas and biases 0 (those of gates as told), the classifier's weights torch's default.

    Args:
        architecture: what to build.
        image: what it reads.
        generator: source of the initial weights, and then torch's global one is left as it was; the global one where
            none is given.
        drawn: whether weights are drawn; else they are what memory holds, to be loaded at once. Where something of a
            person's own draws, it does in any case, as not all that it draws need be weights.

    Raises:
        InfeasibleArchitecture: the image is too small for the strides, or the head too narrow for the classes.
    """
    if isinstance(architecture, OwnNetwork):
        return build_own(architecture, image, generator=generator)
    check_fits(architecture, image)
    described = plan(architecture).reading(image.channels)
    ours = all(spec.kind in BLOCKS for stage in described.stages for spec in stage)
    # Layers draw weights of their own as they are made, from the global generator: all of ours are drawn anew below.
    with (
        torch.random.fork_rng(devices=[], enabled=generator is not None),
        Undrawn() if ours and generator is not None else nullcontext(),
    ):
        network = Network(described, image)
    with Undrawn() if ours and not drawn else nullcontext():
        for module in network.modules():
            _initialise(module, generator)
    return network


class Undrawn(TorchFunctionMode):
    """Draw nothing into weights that are drawn or loaded later: tens of millions of normal numbers take seconds."""

    def __torch_function__(
        self, function: Any, _types: object, given: tuple[Any, ...] = (), named: dict[str, Any] | None = None
    ) -> Any:
        """Call a function of torch's, or return what it would have drawn into."""
        named = named or {}
        return (*given, *named.values())[0] if function in DRAWS else function(*given, **named)


DRAWS = {
    nn.init.kaiming_normal_, nn.init.kaiming_uniform_, nn.init.normal_, nn.init.orthogonal_, nn.init.uniform_,
    torch.Tensor.normal_, torch.Tensor.uniform_,
}  # fmt: skip


def build_own(architecture: OwnNetwork, image: ImageSpec, *, generator: torch.Generator | None = None) -> nn.Module:
    """Return the network that a function of a person's own builds, with the weights that it has drawn.

    Args:
        architecture: the function and its options.
        image: the function's first argument.
        generator: whose seed torch's global one has meanwhile, so that equal seeds draw equal weights.

    Raises:
        InfeasibleArchitecture: the function raises ValueError: no network has these options.
        InputError: it raises anything else, or returns no module.
    """
    function = function_of(architecture.network, architecture.source)
    with torch.random.fork_rng(devices=[], enabled=generator is not None):
        if generator is not None:
            torch.manual_seed(generator.initial_seed())
        try:
            found = function(image, **dict(architecture.options))
        except ValueError as error:
            raise InfeasibleArchitecture(f"{architecture.network}: {error}") from error
        except (Exception, SystemExit) as error:  # whatever a person's code raises
            raise InputError(f"{architecture.network} fails: {type(error).__name__}: {error}") from error
    if not isinstance(found, nn.Module):
        raise InputError(f"{architecture.network} returns a {type(found).__name__}, which is no module")
    return found


def _initialise(module: nn.Module, generator: torch.Generator | None) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
    elif isinstance(module, nn.Linear):
        nn.init.kaiming_uniform_(module.weight, a=5**0.5, generator=generator)
    elif isinstance(module, Cosine):
        module.reset(generator)
    if isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
        nn.init.constant_(module.bias, module.start if isinstance(module, Gate) else 0.0)


def check_fits(architecture: Architecture, image: ImageSpec) -> None:
    """Refuse images that the strides would bring below one pixel, and classes that a cosine head cannot tell apart.

    Raises:
        InfeasibleArchitecture: naming the image, the stem and the number of strided stages, or head and classes.
    """
    described = plan(architecture)
    if min(image.height, image.width) < described.least:
        raise InfeasibleArchitecture(
            f"an image of {image.height}x{image.width} is too small for stem {architecture.stem} and "
            f"{len(architecture.depths)} stages: at least {described.least} pixels are needed"
        )
    if described.head.kind == "cosine" and image.classes > described.head.width:
        raise InfeasibleArchitecture(
            f"head cosine needs a direction for each class: {image.classes} classes are more than the "
            f"{described.head.width} channels that reach it"
        )


DROPPING = (nn.Dropout, DropBranch, DropPath, Swapout)  # layers that draw in training


@contextmanager
def monte_carlo(network: nn.Module) -> Iterator[None]:
    """Go on dropping units and branches at evaluation, so that repeated passes are samples (Monte-Carlo dropout)."""
    dropping = [layer for layer in network.modules() if isinstance(layer, DROPPING)]
    before = [layer.training for layer in dropping]
    for layer in dropping:
        layer.train()
    try:
        yield
    finally:
        for layer, training in zip(dropping, before, strict=True):
            layer.train(training)
