"""Remember what networks came to with other seeds, and who looked at the test split.

To whoever trains them, replicates are what trials are to a study: they have numbers, measurements and ends.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

from search.core.records import Event, EventKind, Replicate, State
from search.storage import events, queries, rows
from search.storage.store import Store
from search.storage.tables import LOOK, REPLICATE, REPLICATE_MEASUREMENT
from workers.measurement import Measurement


class Replicates:
    """Read and write the replicates of one study. Every write is one short transaction."""

    def __init__(self, store: Store, study: str) -> None:
        self.store = store
        self.study = study
        dialect = queries.INSERTS[store.dialect]
        self._insert_measurement = queries.measurement_after_the_last(dialect, REPLICATE, REPLICATE_MEASUREMENT)

    def all(self) -> list[Replicate]:
        """Return every replicate by its number, with its measurements."""
        with self.store.snapshot() as connection:
            return queries.replicates(connection, self._study_id(connection), self.store.damage)

    def add(self, replicate: Replicate) -> None:
        """Write a new replicate."""
        with self.store.transaction() as connection:
            values = {"study_id": self._study_id(connection), **rows.replicate_values(replicate)}
            connection.execute(insert(REPLICATE).values(values))

    def add_measurement(self, number: int, measurement: Measurement) -> bool:
        """Write what one epoch revealed, and say whether it was new; a recorded epoch stays as it is.

        Raises:
            ValueError: a value is not finite, the epoch before is not recorded, or there is no such replicate.
        """
        values = rows.measurement_values(measurement)
        with self.store.transaction() as connection:
            study_id = self._study_id(connection)
            place = {"of_study": study_id, "of_number": number, "epoch_before": measurement.epoch - 1}
            if connection.scalar(self._insert_measurement, {**values, **place}) is not None:
                return True
            if measurement.epoch <= self._recorded(connection, study_id, number):
                return False
        raise ValueError(f"epoch {measurement.epoch} of replicate {number} leaves a gap, or there is no such one")

    def _recorded(self, connection: Connection, study_id: int, number: int) -> int:
        counted = select(func.count(REPLICATE_MEASUREMENT.c.epoch)).join(REPLICATE)
        return connection.scalar(counted.where(queries.is_trial(study_id, number, REPLICATE))) or 0

    def end(
        self, number: int, *, state: State, reason: str, failure_kind: str, failure_details: str, ended_at: datetime
    ) -> bool:
        """Write how a replicate ended, and say whether that was news: the first ending stays."""
        ending = rows.ending_values(
            state=state, reason=reason, failure_kind=failure_kind, failure_details=failure_details, ended_at=ended_at
        )
        with self.store.transaction() as connection:
            study_id = self._study_id(connection)
            running = queries.is_trial(study_id, number, REPLICATE) & (REPLICATE.c.state == State.RUNNING.value)
            trial = connection.scalar(update(REPLICATE).where(running).values(ending).returning(REPLICATE.c.trial))
            if trial is None:
                return False
            text = f"replicate {number}: {reason or state.value}"
            events.add(connection, study_id, Event(at=ended_at, kind=EventKind.CONFIRMED, trial=trial, text=text))
            return True

    def set_attempts(self, number: int, attempts: int) -> None:
        """Write how many times a replicate was handed out again; it never falls."""
        with self.store.transaction() as connection:
            fewer = queries.is_trial(self._study_id(connection), number, REPLICATE) & (REPLICATE.c.attempts < attempts)
            connection.execute(update(REPLICATE).where(fewer).values(attempts=attempts))

    def add_look(self, at: datetime, found: Mapping[int, Mapping[str, float]]) -> None:
        """Write what a look at the test split told, by the replicates' numbers; each is measured once for good.

        Args:
            at: when; equal for all rows of one look.
            found: metrics.
        """
        with self.store.transaction() as connection:
            study_id = self._study_id(connection)
            keys = select(REPLICATE.c.number, REPLICATE.c.id).where(REPLICATE.c.study_id == study_id)
            key_of = {row.number: row.id for row in connection.execute(keys)}
            told = [
                {"replicate_id": key_of[number], "at": rows.to_utc(at), "metrics": rows.to_json(metrics)}
                for number, metrics in found.items()
            ]
            connection.execute(insert(LOOK), told)
            text = f"{len(told)} trainings on the test split"
            events.add(connection, study_id, Event(at=at, kind=EventKind.TESTED, text=text))

    def _study_id(self, connection: Connection) -> int:
        return self.store.study_id(connection, self.study)
