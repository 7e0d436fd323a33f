"""Read what people ask of a study's launches, and what they note of its trials."""

from functools import partial
from typing import Any

from sqlalchemy import select

from search.core.requests import Note, Request, RequestState
from search.storage import cells, queries, rows
from search.storage.cells import Row
from search.storage.damage import Lost
from search.storage.store import Store
from search.storage.tables import NOTE, REQUEST


def requests(store: Store, study: str) -> list[Request]:
    """Return all that was ever asked, oldest first."""
    return _requests(store, study)


def news(store: Store, study: str, after: int) -> list[Request]:
    """Return what waits for an answer, and what was asked after a request, oldest first: one question by an index."""
    return _requests(store, study, (REQUEST.c.state == RequestState.WAITING.value) | (REQUEST.c.id > after))


def waiting(store: Store, study: str) -> list[Request]:
    """Return what nobody has answered, oldest first."""
    return _requests(store, study, REQUEST.c.state == RequestState.WAITING.value)


def _requests(store: Store, study: str, *which: Any) -> list[Request]:
    with store.snapshot() as connection:
        mine = REQUEST.c.study_id == store.study_id(connection, study)
        asked = queries.whole_rows(REQUEST).where(mine, *which).order_by(REQUEST.c.id)
        found = connection.execute(asked).mappings().all()
    lost = Lost(table=REQUEST.name)
    made = (store.damage.read(partial(request_of, row), f"row {row['id']} of {REQUEST.name}", lost) for row in found)
    return [request for request in made if request is not None]


def notes(store: Store, study: str, after: int | None = None) -> list[Note]:
    """Return what was noted of a study's trials, oldest first, or what is behind a note's number."""
    with store.snapshot() as connection:
        mine = NOTE.c.study_id == store.study_id(connection, study)
        which = [mine] if after is None else [mine, NOTE.c.id > after]
        asked = queries.whole_rows(NOTE).where(*which).order_by(NOTE.c.id)
        found = connection.execute(asked).mappings().all()
    lost = Lost(table=NOTE.name)
    made = (store.damage.read(partial(note_of, row), f"row {row['id']} of {NOTE.name}", lost) for row in found)
    return [note for note in made if note is not None]


def exists(store: Store, study: str, number: int) -> bool:
    """Whether a study has a trial of that number, readable or not."""
    with store.snapshot() as connection:
        known = queries.is_trial(store.study_id(connection, study), number)
        return connection.execute(select(1).where(known)).first() is not None


def request_of(row: Row) -> Request:
    """Return the request of a row.

    Raises:
        ValueError: it cannot be read.
    """
    return Request(
        id=cells.any_whole(row, "id"),
        kind=cells.text(row, "kind"),
        values=cells.mapping(row, "given"),
        asked_at=cells.moment(row, "asked_at"),
        by=cells.text(row, "asked_by"),
        session=cells.optional(cells.any_whole, row, "session_id"),
        state=RequestState(cells.text(row, "state")),
        answer=cells.text(row, "answer"),
        answered_at=cells.optional(cells.moment, row, "answered_at"),
        effect=_effect(row),
    )


def _effect(row: Row) -> dict[str, Any]:
    """Return what lasts of a request: numbers by name, or such mappings of them."""
    found = cells.mapping(row, "effect")
    for name, value in found.items():
        numbers = value.values() if isinstance(value, dict) else [value]
        if strange := [each for each in numbers if each is not None and not cells.is_number(each)]:
            raise ValueError(f"effect: {name} cannot be {strange[0]!r}")
    return found


def note_of(row: Row) -> Note:
    """Return the note of a row.

    Raises:
        ValueError: it cannot be read.
    """
    star = cells.optional(cells.whole, row, "star")
    if star not in (None, 0, 1):
        raise ValueError(f"star {star} is neither 0 nor 1")
    return Note(
        id=cells.any_whole(row, "id"),
        trial=cells.whole(row, "trial"),
        star=None if star is None else bool(star),
        text=cells.optional(cells.text, row, "text"),
        at=cells.moment(row, "noted_at"),
        by=cells.text(row, "noted_by"),
    )


def request_values(request: Request) -> rows.Values:
    """Return what whoever asks writes of a request."""
    return {
        "kind": request.kind,
        "given": rows.to_json(request.values),
        "asked_at": rows.to_utc(request.asked_at),
        "asked_by": rows.to_prose(request.by),
        "session_id": request.session,
    }


def note_values(note: Note) -> rows.Values:
    """Return the row of a note."""
    return {
        "trial": note.trial,
        "star": None if note.star is None else int(note.star),
        "text": None if note.text is None else rows.to_prose(note.text),
        "noted_at": rows.to_utc(note.at),
        "noted_by": rows.to_prose(note.by),
    }
