"""Write into Optuna's rows what Optuna has no call for: attributes together, that a trial rests, when it trained.

Optuna knows one span of time for each trial, and none of it may be a pause. So a trial that goes on has its beginning
moved by as long as it did not train, and one that ends at rest has ended when its training did.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    TableClause,
    column,
    delete,
    insert,
    literal_column,
    select,
    table,
    update,
)

from search.storage.store import Store

STUDIES = table("studies", column("study_id"), column("study_name"))
TRIALS = table(
    "trials", column("trial_id"), column("study_id"), column("number"), column("state"), column("datetime_start"),
    column("datetime_complete"),
)  # fmt: skip
ATTRIBUTES = table("study_user_attributes", column("study_id"), column("key"), column("value_json"))
SYSTEM = table("trial_system_attributes", column("trial_id"), column("key"), column("value_json"))
USER = table("trial_user_attributes", column("trial_id"), column("key"), column("value_json"))

FIXED = "fixed_params"  # the system attribute from which the dashboard takes the parameters of a trial that waits
# As they stand in SQL, since PostgreSQL has a type of its own for them.
_RUNNING: ColumnElement[str] = literal_column("'RUNNING'")
_WAITING: ColumnElement[str] = literal_column("'WAITING'")


def attribute(trial_id: int, key: str, value: object) -> dict[str, Any]:
    """Return a row of attributes."""
    return {"trial_id": trial_id, "key": key, "value_json": json.dumps(value)}


def describe(store: Store, trial_id: int, attrs: Mapping[str, Any]) -> None:
    """Set user attributes of a trial that has not ended, in one transaction."""
    with store.transaction() as connection:
        if connection.scalar(select(TRIALS.c.state).where(TRIALS.c.trial_id == trial_id)) in ("RUNNING", "WAITING"):
            _set(connection, USER, trial_id, attrs)


def describe_study(store: Store, name: str, attrs: Mapping[str, str]) -> None:
    """Set user attributes of a study, if it stands in Optuna's tables; other attributes stay."""
    with store.transaction() as connection:
        key = connection.scalar(select(STUDIES.c.study_id).where(STUDIES.c.study_name == name))
        if key is not None:
            mine = (ATTRIBUTES.c.study_id == key) & ATTRIBUTES.c.key.in_(list(attrs))
            connection.execute(delete(ATTRIBUTES).where(mine))
            told = [{"study_id": key, "key": each, "value_json": json.dumps(text)} for each, text in attrs.items()]
            connection.execute(insert(ATTRIBUTES), told)


def rest(store: Store, trial_id: int, params: Mapping[str, Any], attrs: Mapping[str, Any]) -> None:
    """Let a trial that runs wait, with what it has shown so far.

    Args:
        store: with both sets of tables.
        trial_id: the key of its row.
        params: that it was chosen by.
        attrs: user attributes.
    """
    mine = TRIALS.c.trial_id == trial_id
    with store.transaction() as connection:
        resting = update(TRIALS).where(mine, TRIALS.c.state == _RUNNING).values(state=_WAITING)
        if connection.execute(resting).rowcount:
            _set(connection, USER, trial_id, attrs)
            _set(connection, SYSTEM, trial_id, {FIXED: dict(params)})


def go_on(store: Store, trial_id: int, began: datetime) -> None:
    """Let a trial that waits run, as if it had begun at a time and not paused since."""
    mine = TRIALS.c.trial_id == trial_id
    with store.transaction() as connection:
        connection.execute(
            update(TRIALS)
            .where(mine, TRIALS.c.state.in_([_RUNNING, _WAITING]))
            .values(state=_RUNNING, datetime_start=_told(began))
        )


def set_times(store: Store, trial_id: int, began: datetime, ended: datetime) -> None:
    """Set when a trial began and ended."""
    values = {"datetime_start": _told(began), "datetime_complete": _told(ended)}
    with store.transaction() as connection:
        connection.execute(update(TRIALS).where(TRIALS.c.trial_id == trial_id).values(values))


def _set(connection: Connection, into: TableClause, trial_id: int, attrs: Mapping[str, Any]) -> None:
    if attrs:
        connection.execute(delete(into).where(into.c.trial_id == trial_id, into.c.key.in_(list(attrs))))
        connection.execute(insert(into), [attribute(trial_id, key, value) for key, value in attrs.items()])


def _told(moment: datetime) -> datetime:
    """Return a time as Optuna's columns hold it."""
    return moment.astimezone(UTC).replace(tzinfo=None)
