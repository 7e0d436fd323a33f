"""Proposals that never became trials, each recorded once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from search.core.records import Rejection
from search.samplers.suspects import SUSPECTED


@dataclass(slots=True)
class Rejections:
    """All of a study; those that the database could not take are kept until it can."""

    save: Callable[[Rejection], object]
    all: list[Rejection] = field(default_factory=list)
    _suspicions: set[str] = field(default_factory=set)  # that are recorded
    _unsaved: list[Rejection] = field(default_factory=list)

    def restore(self, recorded: Sequence[Rejection]) -> None:
        """Take up what earlier launches recorded."""
        self.all = list(recorded)
        self._suspicions = {each.reason for each in recorded if SUSPECTED in each.violations}

    def record(self, rejected: Sequence[Rejection]) -> None:
        """Record proposals; a suspicion once, however many networks it speaks against.

        Raises:
            StorageAway: the database takes none now; the next call tries again.
        """
        for each in rejected:
            if SUSPECTED in each.violations:
                if each.reason in self._suspicions:
                    continue
                self._suspicions.add(each.reason)
            self.all.append(each)
            self._unsaved.append(each)
        while self._unsaved:
            self.save(self._unsaved[0])
            del self._unsaved[0]
