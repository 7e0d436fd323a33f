"""Find a study in a database by its name."""

from search.core.records import StudyRecord
from search.storage.store import Store
from spaces.errors import InputError, unknown


def find(store: Store, name: str | None) -> StudyRecord:
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
