"""Find what an earlier study has left where a new one of its name begins: somebody may have moved its database."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from search.core.records import StudyRecord
from search.study.journal import FOLDER


def orphans(study: StudyRecord, checkpoints: str) -> Iterator[str]:
    """Yield a line for checkpoints, and one for records that wait, of which the database of a new study knows nothing.

    Args:
        study: the new one.
        checkpoints: the folder of its file; what is behind a URL is not looked for.
    """
    known = f"{study.name}-[0-9]*T*[0-9]"
    folders = [path for path in sorted(Path(checkpoints).glob(known)) if any(path.glob("*.pt"))]
    journals = sorted(FOLDER.glob(f"{known}*.journal"))
    for found, what in ((folders, "checkpoints"), (journals, "records that wait for their database")):
        yield from _line(study, [path for path in found if not path.name.startswith(study.label)], what)


def _line(study: StudyRecord, found: Sequence[Path], what: str) -> Iterator[str]:
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        yield f"{found[-1]}{more} hold {what} of another study {study.name!r}; was its database moved or deleted?"
