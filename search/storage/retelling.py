"""Write a study anew whose space or constraints have changed: our rows and Optuna's, in one transaction.

Optuna lets nobody change a trial that has ended nor the choices of a parameter, and commits every call alone. So its
rows are changed here by what they are: each trial keeps its row, number, state, times, values and attributes, and has
its parameters and constraints written again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    Subquery,
    bindparam,
    column,
    delete,
    insert,
    or_,
    select,
    table,
    update,
)

from search.core.records import Event, Rejection, StudyRecord, TrialRecord
from search.storage import events, rows
from search.storage.optuna_rows import FIXED, STUDIES, SYSTEM, TRIALS, USER, attribute
from search.storage.store import Store
from search.storage.tables import REJECTION, STUDY, TRIAL
from spaces.errors import StudyError

OUTSIDE = "outside"  # Optuna's user attribute that says why a trial is no member
CONSTRAINTS = "constraints"  # the older form, which its dashboard reads; behind a colon and a name, the one of Optuna 5

_PARAMS = table(
    "trial_params", column("trial_id"), column("param_name"), column("param_value"), column("distribution_json")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OptunasRow:
    """What changes of a trial in Optuna's tables."""

    number: int
    params: Mapping[str, tuple[float, str]]  # by name: the value as Optuna keeps it, and the distribution's JSON
    constraints: Mapping[str, Any]  # system attributes
    outside: str
    fixed: Mapping[str, Any]  # the parameters as who waits is shown


def retell(
    store: Store,
    study: StudyRecord,
    trials: Sequence[TrialRecord],
    optunas: Sequence[OptunasRow],
    rejections: Sequence[Rejection],
    happened: Sequence[Event],
) -> None:
    """Write what a study, its trials and its rejections are from now on. Whatever dies, all of it is there or nothing.

    The caller holds the study, and has brought both sets of tables together.

    Raises:
        StudyError: Optuna's tables lack a trial.
    """
    with store.transaction() as connection:
        study_id = store.study_id(connection, study.name)
        _retell_ours(connection, study_id, study, trials)
        _retell_rejections(connection, study_id, rejections)
        _retell_optunas(connection, study.name, optunas)
        events.add(connection, study_id, *happened)


def _retell_ours(connection: Connection, study_id: int, study: StudyRecord, trials: Sequence[TrialRecord]) -> None:
    told = {name: value for name, value in rows.study_values(study).items() if name not in ("name", "created_at")}
    connection.execute(update(STUDY).where(STUDY.c.id == study_id).values(told))
    names = ("parameters", "outside", "state", "reason", "ended_at")
    mine = (TRIAL.c.study_id == study_id) & (TRIAL.c.number == bindparam("of_number"))
    statement = update(TRIAL).where(mine).values({name: bindparam(f"new_{name}") for name in names})
    if trials:
        connection.execute(statement, [_new(trial, names) for trial in trials])


def _new(trial: TrialRecord, names: Collection[str]) -> dict[str, Any]:
    values = rows.trial_values(trial)
    return {"of_number": trial.number, **{f"new_{name}": values[name] for name in names}}


def _retell_rejections(connection: Connection, study_id: int, rejections: Sequence[Rejection]) -> None:
    connection.execute(delete(REJECTION).where(REJECTION.c.study_id == study_id))
    if rejections:
        values = [{"study_id": study_id, **rows.rejection_values(each)} for each in rejections]
        connection.execute(insert(REJECTION), values)


def _retell_optunas(connection: Connection, study: str, optunas: Sequence[OptunasRow]) -> None:
    of_study = select(TRIALS.c.number, TRIALS.c.trial_id).join(
        STUDIES, STUDIES.c.study_id == TRIALS.c.study_id
    ).where(STUDIES.c.study_name == study)  # fmt: skip
    ids = {row.number: row.trial_id for row in connection.execute(of_study)}
    if strange := ids.keys() ^ {row.number for row in optunas}:
        raise StudyError(f"trial {min(strange)} of {study!r} stands in one set of tables and not in the other")
    mine = of_study.subquery()
    waiting = _waiting(connection, mine)
    _forget(connection, mine)
    _write(connection, _PARAMS, [
        {"trial_id": ids[row.number], "param_name": name, "param_value": value, "distribution_json": told}
        for row in optunas
        for name, (value, told) in row.params.items()
    ])  # fmt: skip
    _write(connection, SYSTEM, [
        attribute(ids[row.number], name, value) for row in optunas for name, value in row.constraints.items()
    ])  # fmt: skip
    _write(connection, SYSTEM, [
        attribute(ids[row.number], FIXED, row.fixed) for row in optunas if ids[row.number] in waiting
    ])  # fmt: skip
    _write(connection, USER, [attribute(ids[row.number], OUTSIDE, row.outside) for row in optunas if row.outside])


def _waiting(connection: Connection, mine: Subquery) -> set[int]:
    """Return the keys of trials that wait, or did."""
    fixed = select(SYSTEM.c.trial_id).where(SYSTEM.c.trial_id.in_(select(mine.c.trial_id)), SYSTEM.c.key == FIXED)
    return set(connection.scalars(fixed))


def _forget(connection: Connection, mine: Subquery) -> None:
    """Take away what is written again."""
    keys = select(mine.c.trial_id)
    connection.execute(delete(_PARAMS).where(_PARAMS.c.trial_id.in_(keys)))
    again = or_(SYSTEM.c.key.in_([CONSTRAINTS, FIXED]), SYSTEM.c.key.startswith(f"{CONSTRAINTS}:", autoescape=True))
    connection.execute(delete(SYSTEM).where(SYSTEM.c.trial_id.in_(keys), again))
    connection.execute(delete(USER).where(USER.c.trial_id.in_(keys), USER.c.key == OUTSIDE))


def _write(connection: Connection, into: Any, values: Sequence[dict[str, Any]]) -> None:
    if values:
        connection.execute(insert(into), values)
