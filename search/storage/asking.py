"""Ask something of a study's launch, or note something of a trial: one row by one short transaction, and nothing else.

This is all that commands and pages may write to a study that is not theirs. What is asked is answered by the launch
(`search.storage.answering`), at once or by the next one.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Table, insert

from search.core.records import State, StudyRecord, TrialRecord
from search.core.requests import OF_A_LAUNCH, OF_A_TRIAL, Note, Request, RequestKind, checked, noted, trial_number
from search.storage import rows
from search.storage.finding import find
from search.storage.living import living
from search.storage.requests import exists, note_values, request_values
from search.storage.store import Store
from search.storage.tables import NOTE, REQUEST
from spaces.errors import InputError


def ask(store: Store, study: str | None, kind: str, values: Mapping[str, Any], *, by: str = "") -> Request:
    """Ask, and return the request with its number; its session is the launch that is alive, or None.

    Args:
        store: that was opened to look; see `opened`.
        study: its name; None where there is only one.
        kind: a RequestKind.
        values: see `search.core.requests.checked`; those of a network are checked by whoever knows the space.
        by: who asks.

    Raises:
        InputError: there is no such study or trial, or nothing that could be asked of it.
        StorageAway: the database takes nothing now.
    """
    now, given = datetime.now(UTC), checked(kind, values)
    record = find(store, study)
    if kind in OF_A_TRIAL:
        _check_trial(store, record, kind, given["trial"])
    alive = living(store.sessions(record.name), now)
    if kind in OF_A_LAUNCH and alive is None:
        raise InputError(f"no launch of {record.name!r} is running, so there is none to {kind}")
    request = Request(kind=kind, values=given, asked_at=now, by=by, session=alive)
    return replace(request, id=_insert(store, record, REQUEST, request_values(request)))


def note(
    store: Store, study: str | None, trial: object, *, star: bool | None = None, text: str | None = None, by: str = ""
) -> Note:
    """Note a star, or that there is none, or a text, of a trial; an empty text takes away the one before.

    Raises:
        InputError: there is no such study or trial.
        StorageAway: the database takes nothing now.
    """
    record, number = find(store, study), trial_number(trial)
    if not exists(store, record.name, number):
        raise _no_trial(record, number)
    made = Note(trial=number, at=datetime.now(UTC), star=star, text=None if text is None else noted(text), by=by)
    return replace(made, id=_insert(store, record, NOTE, note_values(made)))


def opened(url: str) -> Store:
    """Return a store to ask by: nothing is made, and no table brought forward.

    Raises:
        InputError: there is nothing to ask, or it may only be read.
    """
    store = Store.open(url, create=False, migrate=False)
    try:
        if store.is_copy:
            raise InputError(f"{store.shown_url} may only be read, so nothing can be asked there")
        if store.behind:
            raise InputError(f"{store.shown_url} is of an older version; its next launch brings it forward")
    except BaseException:
        store.close()
        raise
    return store


def _check_trial(store: Store, record: StudyRecord, kind: str, number: int) -> None:
    trial = store.trial(record.name, number)
    if trial is None:
        raise _no_trial(record, number)
    if trial.state is not State.RUNNING:
        raise InputError(ended(trial, kind))


def ended(trial: TrialRecord, kind: str) -> str:
    """Return in one line why a trial that has ended is not stopped or promoted."""
    told = f"trial {trial.number} is {trial.state} already"
    return f"{told} and does not go on; search.retrain trains it again" if kind == RequestKind.PROMOTE else told


def _no_trial(record: StudyRecord, number: int) -> InputError:
    return InputError(f"{record.name!r} has no trial {number}")


def _insert(store: Store, record: StudyRecord, table: Table, values: rows.Values) -> int:
    with store.transaction() as connection:
        row = {"study_id": store.study_id(connection, record.name), **values}
        return int(connection.execute(insert(table).values(row).returning(table.c.id)).scalar_one())
