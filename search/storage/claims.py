"""Remember trainings that claims are judged by, and the latest verdict on each claim."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from math import inf, isfinite, nan
from typing import Any, TypeVar

from sqlalchemy import String, Table, cast, delete, func, insert, select

from search.core.claims import Effect, Kind, Outcome, Training, Unit, Verdict
from search.storage import cells, queries, rows
from search.storage.damage import Lost
from search.storage.store import Store
from search.storage.tables import TRAINING, VERDICT

Record = TypeVar("Record")
AT_ONCE = 500  # keys in one question: SQLite takes 999 values
TOLD = ("says", "source", "kind", "of", "unit", "range", "form", "data", "note")  # texts beside the numbers


class Claims:
    """Reads and writes them; each write is one short transaction. What cannot be read was not found."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def trainings(self, keys: Collection[str]) -> dict[str, Training]:
        """Return those of these trainings that are known, by their keys."""
        wanted, found = sorted(keys), list[Mapping[Any, Any]]()
        with self._store.snapshot() as connection:
            for start in range(0, len(wanted), AT_ONCE):
                some = TRAINING.c.key.in_(wanted[start : start + AT_ONCE])
                found += connection.execute(queries.whole_rows(TRAINING).where(some)).mappings().all()
        return {each.key: each for row in found if (each := _read(_training, row))}

    def add_training(self, training: Training) -> None:
        """Keep a training, in the place of one of the same key.

        Raises:
            StorageAway: the database does not take it now.
        """
        told = {
            **{name: getattr(training, name) for name in ("key", "network", "digest", "seed", "epochs", "seconds")},
            "found": rows.to_json({**training.values, **training.refused}), "failure": rows.to_prose(training.failure),
            "machine": rows.to_json(dict(training.machine)), "at": rows.to_utc(training.at),
        }  # fmt: skip
        self._put(TRAINING, {"key": training.key}, told)

    def verdicts(self) -> list[Verdict]:
        """Return the verdicts, in the order in which they were last found."""
        with self._store.snapshot() as connection:
            found = connection.execute(queries.whole_rows(VERDICT).order_by(VERDICT.c.id)).mappings().all()
        return [each for row in found if (each := _read(_verdict, row))]

    def stand(self) -> str:
        """Return what changes with every verdict that is kept; nothing where none is."""
        with self._store.snapshot() as connection:
            asked = select(func.count(), func.max(VERDICT.c.id), func.max(cast(VERDICT.c.at, String)))
            count, newest, last = connection.execute(asked).one()
        return f"{count} {newest} {last}" if count else ""

    def add_verdict(self, verdict: Verdict) -> Verdict:
        """Keep a verdict, in the place of an earlier one on the same claim, images and epochs; return which stands.

        One that asks the same and rests on more seeds stays.

        Raises:
            StorageAway: the database does not take it now.
        """
        effect = verdict.effect
        same = {"claim": verdict.claim, "fingerprint": verdict.fingerprint, "epochs": verdict.epochs}
        if (earlier := self._earlier(same)) and earlier.outweighs(verdict):
            return earlier
        told = {name: getattr(verdict, name) for name in (*TOLD, "asked")}
        told |= {"networks": list(verdict.networks), "start": _cell(verdict.start), "end": _cell(verdict.end)}
        self._put(VERDICT, same, {
            **same, "outcome": verdict.outcome.value, "effect": _cell(effect.value), "low": _cell(effect.low),
            "high": _cell(effect.high), "test": effect.test, "seeds": effect.seeds, "seconds": verdict.seconds,
            "told": rows.to_json(told), "machine": rows.to_json(dict(verdict.machine)), "at": rows.to_utc(verdict.at),
        })  # fmt: skip
        return verdict

    def _earlier(self, same: Mapping[str, Any]) -> Verdict | None:
        with self._store.snapshot() as connection:
            asked = queries.whole_rows(VERDICT).where(*(VERDICT.c[name] == value for name, value in same.items()))
            row = connection.execute(asked).mappings().first()
        return _read(_verdict, row) if row else None

    def note_damage(self) -> None:
        """Note rows that nobody can read, which are otherwise left out without a word."""
        for table, make in ((TRAINING, _training), (VERDICT, _verdict)):
            with self._store.snapshot() as connection:
                found = connection.execute(queries.whole_rows(table).order_by(table.c.id)).mappings().all()
            for row in found:
                lost = Lost(table=table.name)
                self._store.damage.read(partial(make, row), f"row {row['id']} of {table.name}", lost)

    def _put(self, table: Table, same: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        with self._store.transaction() as connection:
            before = [table.c[name] == value for name, value in same.items()]
            connection.execute(delete(table).where(*before))
            connection.execute(insert(table).values(**values))


def _cell(value: float) -> float | None:
    return value if isfinite(value) else None


def _read(make: Callable[[cells.Row], Record], row: cells.Row) -> Record | None:
    try:
        return make(row)
    except (ValueError, KeyError, TypeError):
        return None


def _training(row: cells.Row) -> Training:
    found = cells.mapping_of(_is_found, row, "found")
    return Training(
        **{name: cells.text(row, name) for name in ("key", "network", "digest", "failure")},
        seed=cells.any_whole(row, "seed"), epochs=cells.whole(row, "epochs"),
        values={name: each for name, each in found.items() if cells.is_number(each)},
        refused={name: each for name, each in found.items() if cells.is_text(each)},
        seconds=cells.number(row, "seconds"),
        machine=cells.mapping_of(cells.is_text, row, "machine"), at=cells.moment(row, "at"),
    )  # fmt: skip


def _is_found(value: object) -> bool:
    return cells.is_number(value) or cells.is_text(value)


def _verdict(row: cells.Row) -> Verdict:
    told = cells.mapping(row, "told")
    effect = Effect(
        **{to: _number(row, name) for to, name in (("value", "effect"), ("low", "low"), ("high", "high"))},
        test=cells.text(row, "test"), seeds=cells.whole(row, "seeds"),
    )  # fmt: skip
    return Verdict(
        **{name: str(told[name]) for name in TOLD if name not in ("kind", "unit")}, kind=Kind(told["kind"]),
        unit=Unit(told["unit"]), asked=str(told.get("asked", "")),
        networks=tuple(map(str, told["networks"])), start=_end(told["start"], -inf), end=_end(told["end"], inf),
        claim=cells.text(row, "claim"),
        fingerprint=cells.text(row, "fingerprint"), epochs=cells.whole(row, "epochs"),
        outcome=Outcome(cells.text(row, "outcome")), effect=effect, seconds=cells.number(row, "seconds"),
        machine=cells.mapping_of(cells.is_text, row, "machine"), at=cells.moment(row, "at"),
    )  # fmt: skip


def _end(told: Any, otherwise: float) -> float:
    return otherwise if told is None else float(told)


def _number(row: cells.Row, column: str) -> float:
    found = cells.optional(cells.number, row, column)
    return nan if found is None else found
