"""Phrase the statements that are more than one row in or out."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
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

from search.core.records import Replicate, State, TrialRecord
from search.storage import rows
from search.storage.damage import Damage, Lost, named
from search.storage.tables import LOOK, MEASUREMENT, METADATA, REPLICATE, REPLICATE_MEASUREMENT, TRIAL

DialectInsert = Callable[[Table], sqlite.Insert | postgresql.Insert]
INSERTS: dict[str, DialectInsert] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def whole_rows(table: Table) -> Select[tuple[object, ...]]:
    """Select every column of a table as the database has it: SQLAlchemy would read moments, and fail at one row."""
    raw = [
        type_coerce(column, String).label(column.name) if isinstance(column.type, DateTime) else column
        for column in table.c
    ]
    return select(*raw)


def is_trial(study_id: int, number: int, of: Table = TRIAL) -> ColumnElement[bool]:
    """Say of a row of trials, or of replicates, whether it is this one."""
    return (of.c.study_id == study_id) & (of.c.number == number)


def no_trial(number: int) -> ValueError:
    """Return the error of a trial that is not there."""
    return ValueError(f"there is no trial {number}")


def measurement_after_the_last(insert: DialectInsert, of: Table = TRIAL, into: Table = MEASUREMENT) -> Insert:
    """Insert a measurement and return its epoch, or nothing where it is recorded, leaves a gap or has no trial.

    One statement finds the trial, refuses a gap and lets in one of several writers: none can come in between. It takes
    `of_study`, `of_number`, `epoch_before` and the values of a measurement.
    """
    key, *columns = into.c  # that of what is measured comes first
    before = bindparam("epoch_before", type_=into.c.epoch.type)
    recorded = exists().where(key == of.c.id, into.c.epoch == before)
    source = select(of.c.id, *(bindparam(column.name, type_=column.type) for column in columns)).where(
        of.c.study_id == bindparam("of_study"), of.c.number == bindparam("of_number"), (before == 0) | recorded
    )
    statement = insert(into).from_select([key, *columns], source)
    return statement.on_conflict_do_nothing().returning(into.c.epoch)


def id_of(connection: Connection, study_id: int, number: int) -> int:
    """Return the key of a trial.

    Raises:
        NoResultFound: there is no such trial.
    """
    found: int = connection.execute(select(TRIAL.c.id).where(is_trial(study_id, number))).scalar_one()
    return found


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


def replicates(connection: Connection, study_id: int, damage: Damage) -> list[Replicate]:
    """Return the replicates of a study by number; damaged ones are noted."""
    which = REPLICATE.c.study_id == study_id
    found = connection.execute(whole_rows(REPLICATE).where(which).order_by(REPLICATE.c.number)).mappings().all()
    if not found:
        return []
    curves = defaultdict[int, list[RowMapping]](list)
    key, epoch = REPLICATE_MEASUREMENT.c.replicate_id, REPLICATE_MEASUREMENT.c.epoch
    measured = whole_rows(REPLICATE_MEASUREMENT).join(REPLICATE, key == REPLICATE.c.id).where(which)
    for row in connection.execute(measured.order_by(key, epoch)).mappings():
        curves[row["replicate_id"]].append(row)
    looked = connection.execute(whole_rows(LOOK).join(REPLICATE, LOOK.c.replicate_id == REPLICATE.c.id).where(which))
    looks = {row["replicate_id"]: row for row in looked.mappings()}
    made = [_replicate(row, curves[row["id"]], looks.get(row["id"]), damage) for row in found]
    return [each for each in made if each is not None]


def _replicate(row: RowMapping, curve: list[RowMapping], look: RowMapping | None, damage: Damage) -> Replicate | None:
    make = partial(rows.replicate_record, row, curve, look)
    return damage.read(make, f"row {row['id']} of {REPLICATE.name}", Lost(table=REPLICATE.name))


def _note_orphans(of: Mapping[int, list[Replicate]], known: Collection[int], damage: Damage) -> None:
    """Note replicates of no trial, but where a trial that cannot be read may be theirs."""
    if any(lost.table == TRIAL.name for lost in damage.lines.values()):
        return
    for number in of.keys() - known:
        for each in of[number]:
            line = f"replicate {each.number} of {REPLICATE.name} belongs to trial {number}, which is not there"
            damage.note(line, Lost(table=REPLICATE.name))


def with_replicates(
    connection: Connection, study_id: int, found: list[TrialRecord], damage: Damage, *, all_there: bool
) -> list[TrialRecord]:
    """Return trials, which may be all of a study, with what their networks came to with other seeds."""
    if not any(trial.state is State.COMPLETE for trial in found):
        return found
    of = defaultdict[int, list[Replicate]](list)
    for each in replicates(connection, study_id, damage):
        of[each.trial].append(each)
    if all_there:
        _note_orphans(of, {trial.number for trial in found}, damage)
    return [replace(trial, replicates=tuple(of[trial.number])) if trial.number in of else trial for trial in found]


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
