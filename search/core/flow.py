"""Read what came through the blocks of a network: does the gradient reach the first, which blocks have shrunk."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from search.core.analyses import Row
from search.core.units import format_number_of

SHRUNK = 0.1  # of its shortcut, below which a branch changes little of what its block read
FAR = 100  # times more or less than the gradient at the last block
NAMED = 12  # blocks that are named in a line

Values = tuple[float | None, ...]  # by epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What came through each block, by epoch."""

    epochs: tuple[int, ...]  # that were measured
    blocks: tuple[str, ...]  # stage and block, in the order of the network
    gradients: tuple[Values, ...]  # by block
    branches: tuple[Values, ...]  # over shortcuts, by block

    @property
    def has_shortcuts(self) -> bool:
        """Whether any block adds to a shortcut that is known."""
        return any(value is not None for values in self.branches for value in values)


def course(rows: Sequence[Row]) -> Course:
    """Return rows of block and epoch as a course."""
    epochs = tuple(sorted({row["epoch"] for row in rows}))
    blocks = tuple(dict.fromkeys(row["block"] for row in rows))
    told = {(row["block"], row["epoch"]): row for row in rows}

    def values(name: str) -> tuple[Values, ...]:
        return tuple(tuple(told.get((block, epoch), {}).get(name) for epoch in epochs) for block in blocks)

    return Course(epochs=epochs, blocks=blocks, gradients=values("gradient"), branches=values("branch"))


def said(found: Course) -> Iterator[str]:
    """Yield what a course comes to."""
    if not found.blocks:
        return
    first, last = found.gradients[0], found.gradients[-1]
    told = [_reached(epoch, first[place], last[place]) for place, epoch in _ends(found.epochs)]
    yield f"the gradient at the first block is, times that at the last, {' and '.join(told)}"
    yield _shrunk(found)


def _ends(epochs: Sequence[int]) -> list[tuple[int, int]]:
    """Return the first and the last epoch with their places."""
    return sorted({0: epochs[0], len(epochs) - 1: epochs[-1]}.items())


def _reached(epoch: int, first: float | None, last: float | None) -> str:
    if first is None or not last:
        return f"not known after epoch {epoch}"
    grown = first / last
    how = " (it vanishes)" if grown < 1 / FAR else " (it explodes)" if grown > FAR else ""
    return f"{grown:.3g} after epoch {epoch}{how}"


def _shrunk(found: Course) -> str:
    known = {name: values[-1] for name, values in zip(found.blocks, found.branches, strict=True)}
    added = {name: value for name, value in known.items() if value is not None}
    if not added:
        return "no block adds to a shortcut that is known"
    small = [name for name, value in added.items() if value < SHRUNK]
    names = ", ".join(small[:NAMED]) + (", …" if len(small) > NAMED else "")
    of = format_number_of("block", len(added))
    return (
        f"after epoch {found.epochs[-1]}, {len(small)} of {of} with a shortcut add less than a tenth of it"
        f"{f': {names}' if small else ''}"
    )
