"""Look at the loss around the weights of a trained network, along random directions (Li et al. 2018).

Each filter of a direction is as long as that of the network at the same place, so that what scale a filter has, which a
normalisation takes away again, does not decide how sharp a minimum looks. A row of a linear layer counts as a filter;
norms and biases do not move.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from spaces.errors import InputError
from workers.retrained import Tell, say_nothing
from workers.trainer import Trainer

ANEW, LEFT = "anew", "left"  # what becomes of the statistics of normalisations
TRAINING, VALIDATION = "training", "validation"
TINY = 1e-10  # added to the length of what is drawn, as the authors do
Place = tuple[float, float | None]  # along the first and the second direction, in lengths of filters


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Where the loss is looked at."""

    dimensions: int  # 1 or 2
    steps: int  # points along each, an odd number
    span: float  # from the middle to an end
    seed: int  # of directions and images
    images: int  # whose mean loss is taken
    of: str = TRAINING  # part of the data
    statistics: str = ANEW  # measured at each point, or left as training left them

    @property
    def places(self) -> list[Place]:
        """Return the points, row by row; the middle is exactly 0."""
        along = [self.span * (2 * step / (self.steps - 1) - 1) for step in range(self.steps)]
        return [(x, None) for x in along] if self.dimensions == 1 else [(x, y) for y in along for x in along]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What was found of some points before."""

    rows: Mapping[tuple[str, Place], Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Collection[Mapping[str, Any]]) -> "Known":
        """Return what rows of an earlier start tell."""
        points = [row for row in rows if {"network", "x", "y", "loss", "error", "note"} <= row.keys()]
        return cls(rows={(row["network"], (row["x"], row["y"])): row for row in points})


def surface(
    trainer: Trainer, grid: Grid, name: str, known: Known | None = None, tell: Tell = say_nothing
) -> Iterator[dict[str, Any]]:
    """Yield the loss (nats) and the error (fraction of the images) at each point; the network is as before in the end.

    Where the loss is not finite there is none, and the row says what it is.

    Args:
        trainer: whose network was trained.
        grid: the points.
        name: of the network, in the rows.
        known: is not computed again.
        tell: is called before each point.
    """
    before = known or Known()
    images, labels = _images(trainer, grid)
    held = {name: each.clone() for name, each in trainer.network.state_dict().items()}
    moves = directions(trainer.network, grid.seed, grid.dimensions)
    try:
        for number, place in enumerate(grid.places):
            tell(f"points of the {name} network", number, len(grid.places))
            if (found := before.rows.get((name, place))) is not None:
                yield dict(found)
                continue
            _stand(trainer.network, held, moves, place)
            if grid.statistics == ANEW:
                trainer.recalibrate()
            yield {"what": "point", "network": name, "x": place[0], "y": place[1], **_seen(trainer, images, labels)}
    finally:
        trainer.network.load_state_dict(held)
    tell(f"points of the {name} network", len(grid.places), len(grid.places))


def _images(trainer: Trainer, grid: Grid) -> tuple[Tensor, Tensor]:
    """Return the images that are looked at: drawn by the seed, since files of them often come sorted."""
    data = trainer.data
    pair = (data.train_images, data.train_labels) if grid.of == TRAINING else (data.val_images, data.val_labels)
    count = len(pair[1])
    if not count:
        raise InputError(f"there are no {grid.of} images", place="--on")
    chosen = torch.randperm(count, generator=torch.Generator().manual_seed(grid.seed))[: grid.images].to(trainer.device)
    return pair[0][chosen], pair[1][chosen]


def directions(network: nn.Module, seed: int, count: int) -> list[dict[str, Tensor]]:
    """Return directions by the names of the parameters that move in them, drawn on the CPU, filter by filter.

    The first of two is the one that is drawn alone.
    """
    generator = torch.Generator().manual_seed(seed)
    weights = {name: each for name, each in network.named_parameters() if each.ndim > 1}
    return [{name: _drawn(each.detach(), generator) for name, each in weights.items()} for _ in range(count)]


def _drawn(weight: Tensor, generator: torch.Generator) -> Tensor:
    drawn = torch.randn(weight.shape, generator=generator).to(weight.device)
    axes = tuple(range(1, weight.ndim))
    lengths = [each.square().sum(axes, keepdim=True).sqrt() for each in (weight, drawn)]
    return drawn * (lengths[0] / (lengths[1] + TINY))


@torch.no_grad()
def _stand(network: nn.Module, held: Mapping[str, Tensor], moves: Sequence[Mapping[str, Tensor]], place: Place) -> None:
    """Put a network's weights at a place."""
    shares = [share for share in place if share is not None]
    for name, each in network.named_parameters():
        if name in moves[0]:
            each.copy_(held[name])
            for share, move in zip(shares, moves, strict=True):
                each.add_(move[name], alpha=share)


def _seen(trainer: Trainer, images: Tensor, labels: Tensor) -> dict[str, Any]:
    found = trainer.seen(images, labels)
    loss = found.loss
    finite = loss - loss == 0
    return {"loss": loss if finite else None, "error": 1 - found.accuracy, "note": None if finite else str(loss)}
