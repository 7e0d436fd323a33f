"""Read off a trained network what claims of the literature are about: what a part of it is worth, by one number.

Blocks are taken out as by Veit et al. 2016: one that keeps its shape is left out, and what it read goes on, whatever
its kind. So a plain network is asked the same as a residual one.
"""

from collections.abc import Callable
from dataclasses import replace
from statistics import fmean

from torch import nn

from spaces.architecture import plan
from spaces.columns import take_column
from spaces.errors import InputError
from spaces.network import Network
from spaces.plan import BlockSpec, Plan
from workers.filters import filters
from workers.mistakes import error, mistakes
from workers.parts import Part, blocks_of, parts, swappable, swapped, untouched, without
from workers.trainer import Trainer


def reading(name: str, trainer: Trainer) -> float:
    """Return what is read off a trained network.

    Args:
        name: one of `READINGS`.
        trainer: whose network is trained; it is left as it was.

    Raises:
        InputError: nothing of that name can be read off such a network.
    """
    return READINGS[name](trainer, plan(trainer.spec.architecture))


def _error(trainer: Trainer) -> float:
    return error(mistakes(trainer.predicted(), trainer.data.val_labels.cpu()))[0]


def _train_error(trainer: Trainer, _plan: Plan) -> float:
    """Return the share of the training images that are told wrong, measured as the validation images are."""
    seen = trainer.data
    trainer.data = replace(seen, val_images=seen.train_images, val_labels=seen.train_labels)
    try:
        return _error(trainer)
    finally:
        trainer.data = seen


def _skip(trainer: Trainer, described: Plan) -> float:
    """Return how much error is added by leaving out one block that keeps the shape, on the mean over these blocks."""
    network = _network(trainer)
    kept = [block for _, block, spec in blocks_of(network, described) if _keeps(spec)]
    return _added(trainer, [Part(what="block", place="", hooks=((block, untouched),)) for block in kept])


def _shape_excess(trainer: Trainer, described: Plan) -> float:
    """Return how much more is added by leaving only the shortcut of one block that changes the shape."""
    specs = described.blocks
    blocks = [each for each in parts(_network(trainer), described) if each.what == "block"]
    pairs = zip(blocks, specs, strict=True)
    changing = [each for each, spec in pairs if each.removable and not _keeps(spec)]
    return _added(trainer, changing) - _skip(trainer, described)


def _swap(trainer: Trainer, described: Plan) -> float:
    """Return how much is added by letting two neighbouring blocks change their places."""
    network, whole, found = _network(trainer), _error(trainer), list[float]()
    for stage, specs in zip(network.stages, described.stages, strict=True):
        assert isinstance(stage, nn.Sequential)
        for place in swappable(specs):
            with swapped(stage, place):
                found.append(_error(trainer) - whole)
    return _mean(found, "two neighbouring blocks of equal shape")


def _deepest(trainer: Trainer, _plan: Plan) -> float:
    """Return the error of the deepest column alone, with statistics of its own, above the whole network's.

    Those that its normalisations have in the whole network are of means with other columns.
    """
    alone, taken = take_column(trainer.network, trainer.spec.architecture, trainer.data.image)
    column = Trainer(replace(trainer.spec, architecture=alone), trainer.data, numerics=trainer.numerics)
    column.network.load_state_dict(taken.state_dict())
    column.recalibrate()
    return _error(column) - _error(trainer)


def _opposite(trainer: Trainer, described: Plan) -> float:
    """Return the mean of each filter's lowest cosine to another, above that of random filters: below 0, opposites."""
    if described.stem.kernel < 3:
        raise InputError(f"the first convolution is {described.stem.kernel}x{described.stem.kernel}")
    held = trainer.network.state_dict()
    weight = held["stem.0.weight"]
    if described.stem.norm:
        weight = weight * held["stem.1.weight"].sign().reshape(-1, 1, 1, 1)
    chance, *rows = filters(weight)
    lowest = [row["opposite_cosine"] for row in rows if row["what"] == "channel"]
    return fmean(lowest) - float(chance["opposite_cosine"])


def _added(trainer: Trainer, taken: list[Part]) -> float:
    whole, found = _error(trainer), list[float]()
    for part in taken:
        with without(part):
            found.append(_error(trainer) - whole)
    return _mean(found, "a block that can be taken out")


def _mean(found: list[float], needed: str) -> float:
    if not found:
        raise InputError(f"the network has not got {needed}")
    return fmean(found)


def _network(trainer: Trainer) -> Network:
    if not isinstance(trainer.network, Network):
        raise InputError("where its blocks are, nobody knows here")
    return trainer.network


def _keeps(spec: BlockSpec) -> bool:
    """Return whether what a block puts out has the shape of what it reads, whatever its shortcut is."""
    return (
        spec.in_width == spec.out_width and spec.stride == spec.pool == 1 and spec.streams_in == spec.streams_out
        and spec.kind != "dense"
    )  # fmt: skip


READINGS: dict[str, Callable[[Trainer, Plan], float]] = {
    "train_error": _train_error,
    "skip": _skip,
    "shape_excess": _shape_excess,
    "swap": _swap,
    "deepest": _deepest,
    "opposite": _opposite,
}
