"""The schedulers by name. The file's form, its JSON schema, its refusals and the README's table are made of this."""

from dataclasses import dataclass

from search.core.records import StudyRecord
from search.schedulers.base import Options, Scheduler, keys
from search.schedulers.median import Median
from search.schedulers.promotion import Gain
from search.schedulers.rungs import Asha, ParetoAsha
from spaces.errors import InputError, unknown


class Fifo(Scheduler):
    """Trains every trial in full."""

    summary = "trains every trial in full"


SCHEDULERS: dict[str, type[Scheduler]] = {
    "gain": Gain,
    "pareto-asha": ParetoAsha,
    "asha": Asha,
    "median": Median,
    "fifo": Fifo,
}
ALIASES = {"auto": "gain"}  # the default, which may come to mean another


def scheduler_class(name: str) -> type[Scheduler]:
    """Return the scheduler of a name.

    Raises:
        InputError: there is none.
    """
    found = SCHEDULERS.get(ALIASES.get(name, name))
    if found is None:
        raise InputError(unknown("scheduler", name, names()), place="scheduler.name")
    return found


def names() -> list[str]:
    """Return the names that a file may give."""
    return [*ALIASES, *SCHEDULERS]


def aliases(name: str) -> list[str]:
    """Return by which other names a scheduler may be called."""
    return [alias for alias, meant in ALIASES.items() if meant == name]


def readers(key: str) -> list[str]:
    """Return the names of the schedulers that read a key."""
    return [name for name, each in SCHEDULERS.items() if key in keys(each.options_class)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A scheduler as a file asks for it."""

    name: str
    options: Options
    levels: tuple[int, ...]  # epochs of rungs
    chance: float | None  # the accuracy of guessing; None where nobody knows

    @property
    def told(self) -> str:
        """Return for a dry run when it decides."""
        return scheduler_class(self.name).told(self.name, self.options)

    def make(self, study: StudyRecord) -> Scheduler:
        """Return the scheduler of a study that is about to be opened."""
        return scheduler_class(self.name)(study, self.options, self.levels, self.chance)
