"""Find a study in a database by its name."""

from collections.abc import Sequence
from typing import Protocol

from search.core.records import StudyRecord
from spaces.errors import InputError, unknown


class HasStudies(Protocol):
    """Hold studies: what is needed of `search.storage.store.Store`, so that whoever finds one needs no database."""

    @property
    def shown_url(self) -> str:
        """Return the address without its password."""
        ...

    def studies(self) -> Sequence[StudyRecord]:
        """Return every study."""
        ...


def find(store: HasStudies, name: str | None) -> StudyRecord:
    """Return a study; without a name, the only one there is.

    Raises:
        InputError: there is none of that name, or several to choose from.
    """
    studies = store.studies()
    if name is None and len(studies) == 1:
        return studies[0]
    for study in studies:
        if study.name == name:
            return study
    names = [study.name for study in studies]
    if not names:
        raise InputError(f"there is no study in {store.shown_url}")
    if name is None:
        raise InputError(f"name one of {', '.join(names)}", place="--study")
    raise InputError(unknown("study", name, names), place="--study")
