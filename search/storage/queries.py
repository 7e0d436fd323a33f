"""Phrase the statements that are more than one row in or out."""

from collections import defaultdict
from collections.abc import Callable
from functools import partial

from sqlalchemy import (
    ColumnElement,
    Connection,
    DateTime,
    Insert,
    RowMapping,
    Select,
    String,
    Table,
    bindparam,
    exists,
    func,
    inspect,
    select,
    text,
    type_coerce,
)
from sqlalchemy.dialects import postgresql, sqlite

from search.core.records import TrialRecord
from search.storage import rows
from search.storage.damage import Damage, Lost, named
from search.storage.tables import MEASUREMENT, METADATA, TRIAL

DialectInsert = Callable[[Table], sqlite.Insert | postgresql.Insert]
INSERTS: dict[str, DialectInsert] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def whole_rows(table: Table) -> Select[tuple[object, ...]]:
    """Select every column of a table as the database has it: SQLAlchemy would read moments, and fail at one row."""
    raw = [
        type_coerce(column, String).label(column.name) if isinstance(column.type, DateTime) else column
        for column in table.c
    ]
    return select(*raw)


def is_trial(study_id: int, number: int) -> ColumnElement[bool]:
    """Say of a row of trials whether it is this one."""
    return (TRIAL.c.study_id == study_id) & (TRIAL.c.number == number)


def no_trial(number: int) -> ValueError:
    """Return the error of a trial that is not there."""
    return ValueError(f"there is no trial {number}")


def measurement_after_the_last(insert: DialectInsert) -> Insert:
    """Insert a measurement and return its epoch, or nothing where it is recorded, leaves a gap or has no trial.

    One statement finds the trial, refuses a gap and lets in one of several writers: none can come in between. It takes
    `of_study`, `of_number`, `epoch_before` and the values of a measurement.
    """
    before = bindparam("epoch_before", type_=MEASUREMENT.c.epoch.type)
    recorded = exists().where(MEASUREMENT.c.trial_id == TRIAL.c.id, MEASUREMENT.c.epoch == before)
    columns = [column for column in MEASUREMENT.c if column.name != "trial_id"]
    source = select(TRIAL.c.id, *(bindparam(column.name, type_=column.type) for column in columns)).where(
        TRIAL.c.study_id == bindparam("of_study"), TRIAL.c.number == bindparam("of_number"), (before == 0) | recorded
    )
    statement = insert(MEASUREMENT).from_select([MEASUREMENT.c.trial_id, *columns], source)
    return statement.on_conflict_do_nothing().returning(MEASUREMENT.c.epoch)


def recorded(connection: Connection, study_id: int, number: int) -> int:
    """Return how many epochs of a trial are recorded.

    Raises:
        ValueError: there is no such trial.
    """
    counted = select(func.count(MEASUREMENT.c.epoch)).select_from(TRIAL.outerjoin(MEASUREMENT))
    found: int | None = connection.scalar(counted.where(is_trial(study_id, number)).group_by(TRIAL.c.id))
    if found is None:
        raise no_trial(number)
    return found


def trials(connection: Connection, which: ColumnElement[bool], damage: Damage) -> list[TrialRecord]:
    """Return the trials of these rows by number, in two queries however many there are; damaged ones are noted."""
    found = connection.execute(whole_rows(TRIAL).where(which).order_by(TRIAL.c.number)).mappings().all()
    curves = defaultdict[int, list[RowMapping]](list)
    ordered = whole_rows(MEASUREMENT).join(TRIAL).where(which).order_by(MEASUREMENT.c.trial_id, MEASUREMENT.c.epoch)
    for row in connection.execute(ordered).mappings():
        curves[row["trial_id"]].append(row)
    made = [_trial(row, curves[row["id"]], damage) for row in found]
    return [trial for trial in made if trial is not None]


def _trial(row: RowMapping, curve: list[RowMapping], damage: Damage) -> TrialRecord | None:
    name, lost = named(f"row {row['id']} of {TRIAL.name}", TRIAL.name, row["number"])
    return damage.read(partial(rows.trial_record, row, curve), name, lost)


_STRAYS = text("SELECT rowid, parent FROM pragma_foreign_key_check(:of_table)")
_FEW = 8  # rows that a line names


def note_strays(connection: Connection, damage: Damage) -> None:
    """Note rows that belong to no study or no trial; of PostgreSQL's there can be none."""
    if connection.dialect.name != "sqlite":
        return
    for table in sorted({*METADATA.tables, "trials"} & set(inspect(connection).get_table_names())):
        of = defaultdict[str, list[int]](list)
        for row, parent in connection.execute(_STRAYS, {"of_table": table}):
            of[parent].append(row)
        for parent, strays in of.items():
            damage.note(f"{_listed(strays, table)} to no row of {parent}", Lost(table=table))


def _listed(strays: list[int], table: str) -> str:
    """Return `row 3 of nas_trial belongs`, or the same of several."""
    if len(strays) == 1:
        return f"row {strays[0]} of {table} belongs"
    more = f" and {len(strays) - _FEW} more" if len(strays) > _FEW else ""
    return f"rows {', '.join(map(str, strays[:_FEW]))}{more} of {table} belong"
