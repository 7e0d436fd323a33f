"""Take parts out of a trained network, one or several at a time, and measure what that does to its error.

In a residual network most blocks can go one by one, as the rest is an ensemble of shorter paths; in a plain one none
can (Veit et al. 2016). Weights and the statistics of normalisations stay as training left them. Where it is asked for,
what goes through all blocks is trained without the rest as well: what a part was worth beside others is not what it
comes to by itself.
"""

import random
from collections.abc import Iterator, Sequence
from itertools import combinations
from math import comb
from typing import Any

from torch import Tensor

from spaces.errors import InputError, TrialFailure
from spaces.network import Network
from spaces.plan import Plan
from workers.mistakes import change, error, mistakes
from workers.parts import Part, bases, parts, swappable, swapped, without
from workers.retrained import Course
from workers.routes import lengths
from workers.trainer import Trainer

UNKNOWN = dict.fromkeys(("error", "error_se", "change", "change_se"))
Row = dict[str, Any]


def lesions(
    trainer: Trainer,
    described: Plan,
    *,
    blocks: int | None = None,
    draws: int = 0,
    seed: int = 0,
    paths: int | None = None,
    train: bool = False,
    course: Course | None = None,
) -> Iterator[Row]:
    """Yield the error of the whole network, then without each part, without several at random, and with two swapped.

    Behind them come the parts that go through all blocks, tested and, where asked for, trained so; and the paths by
    their length. Each row has the error and how much it is above that of the whole network, both with standard errors
    (fractions of the images), or a note on why there is none.

    Args:
        trainer: whose network was trained.
        described: its plan.
        blocks: how many are taken out at random.
        draws: how often; where there are no more ways than that, each once.
        seed: of every choice.
        paths: of each length that are followed alone.
        train: what goes through all blocks too.
        course: of these trainings.

    Raises:
        InputError: fewer blocks than that can be taken out, or nothing goes around any.
    """
    network = trainer.network
    assert isinstance(network, Network)
    found = list(parts(network, described))
    sets = _drawn([each for each in found if each.what == "block" and each.removable], blocks, draws, seed)
    whole = _wrong(trainer)
    yield {"what": "whole", "place": "", "note": None, **_told(whole, whole)}
    for part in found:
        yield _without(trainer, whole, part.what, [part])
    for taken in sets:
        yield _without(trainer, whole, "draw", taken)
    yield from _swaps(trainer, described, whole)
    for number, part in enumerate(bases(network, described)):
        yield _without(trainer, whole, part.what, [part])
        if train:
            yield _trained(trainer, described, number, whole, course or Course())
    if paths:
        yield from lengths(trainer, described, draws=paths, seed=seed)


def _swaps(trainer: Trainer, described: Plan, whole: Tensor) -> Iterator[Row]:
    assert isinstance(trainer.network, Network)
    for stage, specs in enumerate(described.stages):
        for place in swappable(specs):
            with swapped(trainer.network.stages[stage], place):  # type: ignore[arg-type]  # sequences of blocks
                row = _told(_wrong(trainer), whole)
            name = f"{stage + 1}.{place + 1} and {stage + 1}.{place + 2}"
            yield {"what": "swap", "place": name, "note": None, **row}


def _without(trainer: Trainer, whole: Tensor, what: str, taken: Sequence[Part]) -> Row:
    row = {"what": what, "place": ", ".join(each.place for each in taken), "note": None}
    if len(taken) == 1:
        row["note"] = taken[0].note or None
    if not all(each.removable for each in taken):
        return {**row, **UNKNOWN}
    with without(*taken):
        return {**row, **_told(_wrong(trainer), whole)}


def _trained(trainer: Trainer, described: Plan, number: int, whole: Tensor, course: Course) -> Row:
    """Return what a part of all blocks comes to that is trained without the rest, by the trial's recipe and seed."""

    def taken(fresh: Trainer) -> Sequence[Part]:
        assert isinstance(fresh.network, Network)
        return [list(bases(fresh.network, described))[number]]

    (part,) = taken(trainer)
    row = {"what": part.what, "place": part.place, "trained": True, "note": None}
    try:
        with course.trained(trainer.spec, trainer, f"{part.what} {part.place}".strip(), taken) as fresh:
            return {**row, **_told(_wrong(fresh), whole)}
    except TrialFailure as failure:
        return {**row, **UNKNOWN, "note": f"was not trained: {failure.message}"}


def _drawn(removable: Sequence[Part], count: int | None, draws: int, seed: int) -> list[Sequence[Part]]:
    """Return sets of blocks, no two of them equal."""
    if count is None:
        return []
    if count > len(removable):
        raise InputError(f"{len(removable)} blocks can be taken out, not {count}", place="--blocks")
    if comb(len(removable), count) <= draws:
        return list(combinations(removable, count))
    rng, chosen = random.Random(seed), dict[tuple[int, ...], None]()  # no secret
    while len(chosen) < draws:
        chosen[tuple(sorted(rng.sample(range(len(removable)), count)))] = None
    return [[removable[place] for place in each] for each in chosen]


def _wrong(trainer: Trainer) -> Tensor:
    return mistakes(trainer.predicted(), trainer.data.val_labels.cpu())


def _told(wrong: Tensor, whole: Tensor) -> Row:
    share, deviation = error(wrong)
    more, spread = change(wrong, whole)
    return {"error": share, "error_se": deviation, "change": more, "change_se": spread}
