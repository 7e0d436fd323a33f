"""Take one column of a fractal network as a network of its own (Larsson et al. 2017, section 4: the deepest alone).

A column is a plain network: a fractal one of one column, with more blocks in each stage. It begins with its weights.
"""

from dataclasses import replace

import torch
from torch import nn

from spaces.architecture import Architecture, ImageSpec
from spaces.errors import InputError
from spaces.fractals import Fractal
from spaces.network import Network, build


def column_of(architecture: Architecture, column: int | None = None) -> Architecture:
    """Return the architecture of one column alone; no paths are dropped in it.

    Args:
        architecture: of the whole network.
        column: from 1, the shallowest; the deepest where none is given.

    Raises:
        InputError: the network has no columns, or not so many.
    """
    most = architecture.columns
    number = most if column is None else column
    if architecture.block != "fractal":
        raise InputError(f"block {architecture.block} has no columns to take one of")
    if not 1 <= number <= most:
        raise InputError(f"there is no column {number}: columns are 1, the shallowest, to {most}, the deepest")
    convolutions = 2 ** (number - 1)  # of the column in each block
    depths = tuple(depth * convolutions for depth in architecture.depths)
    dropout = "none" if architecture.dropout == "path" else architecture.dropout
    return replace(architecture, columns=1, depths=depths, dropout=dropout).canonical()


@torch.no_grad()
def take_column(
    network: nn.Module, architecture: Architecture, image: ImageSpec, column: int | None = None
) -> tuple[Architecture, Network]:
    """Return one column of a network alone, with a copy of the weights and statistics that it has there.

    Args:
        network: as `build` returns it, on the CPU or a GPU.
        architecture: of the network.
        image: what it reads.
        column: as for `column_of`.

    Raises:
        InputError: as `column_of` does.
    """
    alone = column_of(architecture, column)
    number = architecture.columns if column is None else column
    taken = build(alone, image, generator=torch.Generator())
    assert isinstance(network, Network)
    assert isinstance(taken, Network)
    for ours, theirs in zip(_layers(taken, 1), _layers(network, number), strict=True):
        ours.load_state_dict(theirs.state_dict())
    first = next(network.parameters())
    return alone, taken.to(device=first.device, dtype=first.dtype).train(network.training)


def _layers(network: Network, column: int) -> list[nn.Module]:
    """Return stem, the layers of a column with the 1x1s before it, and head, in the order in which they are run."""
    found: list[nn.Module] = [network.stem]
    for block in network.stages.modules():
        if isinstance(block, Fractal):
            convs = block.columns[min(column, len(block.columns)) - 1]  # what doubles channels has one column
            assert isinstance(convs, nn.ModuleList)
            found += convs
    return [*found, network.head]
