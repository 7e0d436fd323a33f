"""Pack networks of one plan into one network, in which each of them computes what it would compute alone.

Parameters of a pack have the names of a member's, and are K times as long along their first axis: member i's are the
i-th of K equal parts. So whoever has the pack has its members, and what is kept of a member is an ordinary network.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from spaces import blocks, layers, network, packed
from spaces.errors import InputError
from spaces.fractals import Fractal
from spaces.packed import Members
from spaces.shuffles import Shuffled


class Pack:
    """K networks of one plan as one."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        """Pack networks, which stay as they are.

        Raises:
            InputError: they are of several plans, or have a layer that nobody can keep apart.
        """
        self.members = Members(len(networks))
        self.network = _packed(copy.deepcopy(networks[0]), networks, self.members)

    def __call__(self, images: Tensor) -> Tensor:
        """Return logits `n K k` for each member's images `n (K c) h w`."""
        logits: Tensor = self.network(images)
        return logits.view(len(images), self.members.count, -1)

    def share(self, networks: Sequence[nn.Module]) -> None:
        """Let the members' weights be parts of the pack's from now on: what trains the pack trains them."""
        for index, each in enumerate(networks):
            for name, weights in self.network.named_parameters():
                own = each.get_parameter(name)
                own.data, own.grad = self.part(weights.data, index), None
            for name, held in self.network.named_buffers():
                owner, _, buffer = name.rpartition(".")
                each.get_submodule(owner)._buffers[buffer] = self.part(held, index)

    def part(self, held: Tensor, index: int) -> Tensor:
        """Return a member's part of a parameter or of what belongs to it; a single number is everybody's."""
        return held.chunk(self.members.count)[index] if held.ndim else held


def _packed(copied: nn.Module, layers_of: Sequence[nn.Module], members: Members) -> nn.Module:
    """Return the pack of some layers, made of a copy of the first."""
    kind, held = type(copied), [name for name, _ in copied.named_children()]
    if any(type(each) is not kind or [name for name, _ in each.named_children()] != held for each in layers_of):
        raise InputError("networks of several plans are no pack")
    for name, child in copied.named_children():
        setattr(copied, name, _packed(child, [each.get_submodule(name) for each in layers_of], members))
    _join(copied, layers_of)
    if kind in WIDER:
        for name in WIDER[kind]:
            setattr(copied, name, getattr(copied, name) * members.count)
        return copied
    if kind in TWINS:
        return TWINS[kind](copied, members)
    if kind in DRAWING:
        return DRAWING[kind](layers_of, members)
    if kind in AS_THEY_ARE:
        return copied
    raise InputError(f"nobody knows whether {kind.__name__} keeps networks apart that lie side by side")


def _join(copied: nn.Module, layers_of: Sequence[nn.Module]) -> None:
    """Put the layers' own weights and buffers behind one another."""
    for name in [name for name, held in copied._parameters.items() if held is not None]:
        setattr(copied, name, nn.Parameter(_behind([getattr(each, name).detach() for each in layers_of])))
    for name in [name for name, held in copied._buffers.items() if held is not None and held.ndim]:
        copied._buffers[name] = _behind([getattr(each, name) for each in layers_of])


def _behind(held: Sequence[Tensor]) -> Tensor:
    if any(each.shape != held[0].shape for each in held):
        raise InputError("networks of several plans are no pack")
    return torch.cat(list(held))


_CHANNELS = ("in_channels", "out_channels", "groups")
# Layers that keep members apart as soon as they have K times the channels, with what says how many they have.
WIDER: dict[type[nn.Module], tuple[str, ...]] = {
    nn.Conv2d: _CHANNELS,
    layers.StridedPointwise: _CHANNELS,
    layers.Gate: _CHANNELS,
    nn.BatchNorm2d: ("num_features",),
}
# Layers that have a twin.
TWINS: dict[type[nn.Module], Callable[[Any, Members], nn.Module]] = {
    nn.Linear: packed.PackedLinear,
    layers.Cosine: packed.PackedCosine,
    layers.CReLU: packed.PackedCReLU,
    layers.PadShortcut: packed.Padded,
    layers.PoolShortcut: packed.Padded,
    layers.Shuffle: packed.PackedShuffle,
    Shuffled: packed.PackedShuffled,
    blocks.Dense: packed.PackedDense,
    blocks.MergeRun: packed.PackedMergeRun,
}
# Layers that draw, which may do so by other rates in each member.
DRAWING: dict[type[nn.Module], Callable[[Sequence[Any], Members], nn.Module]] = {
    nn.Dropout: lambda each, members: packed.PackedDropout([layer.p for layer in each], members),
    layers.Swapout: lambda each, members: packed.PackedSwapout([layer.rate for layer in each], members),
    layers.DropBranch: lambda each, members: packed.PackedDropBranch(
        [layer.rate for layer in each], each[0].unit, members
    ),
}
# Layers that look at each channel alone, or only order what others do.
AS_THEY_ARE = frozenset({
    nn.Sequential, nn.ModuleList, nn.Identity, nn.ReLU, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.Flatten,
    layers.Sum, layers.Scaled, layers.Gated, layers.SqueezeExcite, layers.OverlappingPool, layers.HiddenLayers,
    layers.Droppable, blocks.Residual, blocks.MultiResidual, blocks.Level, blocks.Inception, blocks.Transition,
    blocks.Chain, blocks.Highway, Fractal, network.Stem, network.Head, network.Network,
})  # fmt: skip
