"""Answer what was asked of a study: its launch alone does, once, in one transaction with the event that tells of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import update

from search.core.records import Event
from search.core.requests import Request, RequestState
from search.storage import events, rows
from search.storage.store import Store
from search.storage.tables import REQUEST


def answer(
    store: Store,
    study: str,
    request: Request,
    *,
    state: RequestState,
    text: str,
    at: datetime,
    event: Event,
    effect: Mapping[str, Any] | None = None,
) -> bool:
    """Answer a request, and say whether nobody had.

    Args:
        store: of the study.
        study: its name.
        request: that waits.
        state: done or refused.
        text: the answer, in one line.
        at: when.
        event: that tells of it.
        effect: what later launches have to know of it.
    """
    values = {
        "state": state.value, "answer": rows.to_prose(text), "answered_at": rows.to_utc(at),
        "effect": rows.to_json(effect or {}),
    }  # fmt: skip
    waits = (REQUEST.c.id == request.id) & (REQUEST.c.state == RequestState.WAITING.value)
    with store.transaction() as connection:
        if connection.execute(update(REQUEST).where(waits).values(values)).rowcount == 0:
            return False
        events.add(connection, store.study_id(connection, study), event)
    return True
