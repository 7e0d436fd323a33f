"""Remember studies in SQL: the only memory there is. Records go in and come out; nothing of SQLAlchemy does."""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from platform import node
from typing import Self

from sqlalchemy import Connection, Engine, RowMapping, Table, inspect, make_url, select, update

from search.core.analyses import Row
from search.core.records import Event, EventKind, Host, Rejection, Session, Spent, State, StudyRecord, TrialRecord
from search.storage import engine as database
from search.storage import events, flows, queries, rows
from search.storage import locks as holds
from search.storage.cells import is_text
from search.storage.copies import Copy, copy_of
from search.storage.damage import Damage, Lost, Record
from search.storage.tables import EVENT, HOST, MEASUREMENT, REJECTION, SESSION, STUDY, TRIAL
from search.storage.url import read_url, shown
from spaces.errors import HolderUnknown, InputError, StudyError
from workers.measurement import Measurement

SEEN_S = 120.0  # within which a launch that lives has said so, if nothing slows its machine down


class Store:
    """Read and write studies. Every write is one short transaction, committed when the call returns.

    Safe to use from several threads. A database that goes away, or stays locked, is a StudyError.
    """

    def __init__(self, engine: Engine, url: str, copy: Copy | None = None) -> None:
        self.url = copy.url if copy else url
        self._copy = copy
        self._address = make_url(url)
        self.damage = Damage(tolerated=False)
        self._engine = engine
        self._reader = database.reader(engine)
        self._insert = queries.INSERTS[engine.dialect.name]
        self._insert_measurement = queries.measurement_after_the_last(self._insert)
        self._study_ids: dict[str, int] = {}
        self._holds: dict[str, holds.Hold] = {}

    @classmethod
    def open(cls, url: str, *, create: bool = True, migrate: bool = True) -> Self:
        """Return a store on the database, its tables brought up to date.

        Args:
            url: see `search.storage.url.FORMS`.
            create: make what is missing; without it, a database that is not ours is an InputError and stays as it is,
                of one that may only be read, a copy is, and rows that cannot be read are left out: see `damage`.
            migrate: bring the tables up to date; without it, of those that are `behind` only the names can be read.
        """
        read_url(url)
        copy = None if create else copy_of(url)
        try:
            store = cls(database.connect(copy.url if copy else url, create=create, migrate=migrate), url, copy)
            store.damage.tolerated = not create
            return store
        except BaseException:
            if copy:
                copy.close()
            raise

    @classmethod
    @contextmanager
    def reading(cls, url: str, warn: Callable[[Iterable[str]], object]) -> Iterator[Self]:
        """Give a store to read from, and let `warn` have a line for each row that could not be read."""
        with cls.open(url, create=False) as store:
            try:
                store.note_strays()
                yield store
            finally:
                warn(store.damage.lines)

    @property
    def is_copy(self) -> bool:
        """Whether the database may only be read, so that what is written goes with this store."""
        return self._copy is not None

    @property
    def is_current(self) -> bool:
        """Whether what is read here is what the database holds: of a copy, until somebody writes to the original."""
        return self._copy is None or self._copy.is_current

    @property
    def shown_url(self) -> str:
        """Return the URL without its password."""
        return shown(self._address)

    @contextmanager
    def hold(self, study: str, *, shared: bool = False) -> Iterator[None]:
        """Keep a study to this process, or to those who share it, until the end.

        Raises:
            StudyError: another launch holds it.
            HolderUnknown: nobody can tell whether one does, or did while the database was copied.
            InputError: the database is none that can be shared.
        """
        self._holds[study] = self._hold(study, shared)
        try:
            self.reacquire_lock()
            if self._copy and not self._copy.is_current:
                raise HolderUnknown(f"{self.shown_url} was written to while it was copied")
            yield
        finally:
            self._holds.pop(study).drop()

    def _hold(self, study: str, shared: bool) -> holds.Hold:
        if self._copy:  # whoever launches the study locks beside what it is a copy of
            return holds.LookingHold(self._copy.source, study)
        return holds.hold(self._engine, study, shared=shared)

    @contextmanager
    def turn(self, study: str) -> Iterator[None]:
        """Wait until no other launch that shares the study is in the midst of a turn, and have it until the end."""
        with self.speaking(), holds.turn(self._engine, study):
            yield

    def reacquire_lock(self) -> None:
        """Take what is held again, where the database was away and forgot it.

        Raises:
            StudyError: another launch has taken it in between.
        """
        for study, held in self._holds.items():
            with self.speaking():
                free = held.take()
            if not free:
                other = f"another launch{self._holder(study)} is running {study!r} in {self.shown_url}"
                raise StudyError(f"{other}; wait for it or stop it")

    def _holder(self, study: str) -> str:
        """Return who holds a study, as far as it has told."""
        if self.behind or study not in self.names():
            return ""
        told = [session for session in self.sessions(study) if session.process]
        if not told:
            return ""
        last = max(told, key=lambda session: session.seen_at)
        if abs((datetime.now(UTC) - last.seen_at).total_seconds()) > SEEN_S:  # it is over, and a confirmation holds it
            return ""
        return f" (process {last.process} on {last.host}, since {last.started_at:%Y-%m-%d %H:%M} UTC)"

    @property
    def dialect(self) -> str:
        """Return which kind of database it is, by SQLAlchemy's name."""
        return self._engine.dialect.name

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()
        if self._copy:
            self._copy.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Turn whatever the database or its driver complains of into one line.

        Raises:
            StorageAway: it cannot be reached or written to now.
            StudyError: it is damaged, or no longer there.
        """
        database.check_there(self._address)
        with database.raised_as(StudyError, self._address):
            yield

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Give a transaction of the database to the modules beside this one."""
        with self.speaking(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Give a connection to read by to the modules beside this one."""
        with self.speaking(), self._reader.connect() as connection:
            yield connection

    def study_id(self, connection: Connection, name: str) -> int:
        """Return the key of a study.

        Raises:
            InputError: there is none of that name.
        """
        if name not in self._study_ids:
            found = connection.scalar(select(STUDY.c.id).where(STUDY.c.name == name))
            if found is None:
                raise InputError(f"there is no study {name!r} in {self.shown_url}")
            self._study_ids[name] = found
        return self._study_ids[name]

    @property
    def behind(self) -> tuple[str, str] | None:
        """Return the version of the tables and the one this program knows, where theirs is older."""
        with database.raised_as(StudyError, self._address):
            return database.behind(self._engine)

    def tables(self) -> set[str]:
        """Return the names of all tables of the database, Optuna's too."""
        with self.snapshot() as connection:
            return set(inspect(connection).get_table_names())

    def note_strays(self) -> None:
        """Note rows that belong to no study or no trial."""
        with self.snapshot() as connection:
            queries.note_strays(connection, self.damage)

    def names(self) -> list[str]:
        """Return the name of every study that has a readable one, oldest first; tables of any version can tell it."""
        with self.snapshot() as connection:
            return [name for name in connection.scalars(select(STUDY.c.name).order_by(STUDY.c.id)) if is_text(name)]

    def studies(self) -> list[StudyRecord]:
        """Return every study, oldest first."""
        with self.snapshot() as connection:
            found = connection.execute(queries.whole_rows(STUDY).order_by(STUDY.c.id)).mappings().all()
        return [study for row in found if (study := self._study(row)) is not None]

    def _study(self, row: RowMapping) -> StudyRecord | None:
        line = f"the study {row['name']!r} (row {row['id']} of {STUDY.name})"
        return self.damage.read(lambda: rows.study_record(row), line, Lost(table=STUDY.name))

    def study(self, name: str) -> StudyRecord | None:
        """Return the study of that name, if there is one."""
        with self.snapshot() as connection:
            row = connection.execute(queries.whole_rows(STUDY).where(STUDY.c.name == name)).mappings().one_or_none()
        return None if row is None else self._study(row)

    def add_study(self, record: StudyRecord) -> None:
        """Write a new study.

        Raises:
            InputError: the name is taken, or cannot be one.
        """
        statement = self._insert(STUDY).values(rows.study_values(record))
        with self.transaction() as connection:
            if connection.scalar(statement.on_conflict_do_nothing().returning(STUDY.c.id)) is None:
                raise InputError(f"there is a study {record.name!r} already in {self.shown_url}")

    def update_config(self, name: str, record: StudyRecord) -> None:
        """Write what a later launch changed; the study keeps its name and the moment it was made."""
        changed = {key: value for key, value in rows.study_values(record).items() if key not in ("name", "created_at")}
        with self.transaction() as connection:
            study_id = self.study_id(connection, name)
            connection.execute(update(STUDY).where(STUDY.c.id == study_id).values(changed))

    def add_trial(self, study: str, trial: TrialRecord) -> None:
        """Write a new trial and the measurements it has; a trial that is there already stays as it is.

        Raises:
            ValueError: a measurement is not finite, or their epochs are not 1, 2, 3, and so on.
        """
        measured = [rows.measurement_values(each) for each in trial.measurements]
        if [each["epoch"] for each in measured] != list(range(1, len(measured) + 1)):
            raise ValueError(f"the epochs of trial {trial.number} leave a gap")
        with self.transaction() as connection:
            values = {"study_id": self.study_id(connection, study), **rows.trial_values(trial)}
            statement = self._insert(TRIAL).values(values).on_conflict_do_nothing().returning(TRIAL.c.id)
            trial_id = connection.scalar(statement)
            if trial_id is not None:
                if measured:
                    connection.execute(self._insert(MEASUREMENT), [{"trial_id": trial_id, **each} for each in measured])
                flows.add(connection, trial_id, trial.measurements)
                begun = Event(at=trial.started_at or datetime.now(UTC), kind=EventKind.BEGUN, trial=trial.number)
                events.add(connection, values["study_id"], begun)

    def add_measurement(self, study: str, number: int, measurement: Measurement) -> bool:
        """Write what one epoch revealed, and say whether it was new; a recorded epoch stays as it is.

        Raises:
            ValueError: a value is not finite, the epoch before is not recorded, or there is no such trial.
        """
        values = rows.measurement_values(measurement)
        with self.transaction() as connection:
            study_id = self.study_id(connection, study)
            place = {"of_study": study_id, "of_number": number, "epoch_before": measurement.epoch - 1}
            if connection.scalar(self._insert_measurement, {**values, **place}) is not None:
                if measurement.flow:
                    flows.add(connection, queries.id_of(connection, study_id, number), [measurement])
                at, told = measurement.at or datetime.now(UTC), f"epoch {measurement.epoch}"
                events.add(connection, study_id, Event(at=at, kind=EventKind.MEASURED, trial=number, text=told))
                return True
            if measurement.epoch <= queries.recorded(connection, study_id, number):
                return False
        raise ValueError(
            f"epoch {measurement.epoch} of trial {number} leaves a gap: epoch {measurement.epoch - 1} is not recorded"
        )

    def end_trial(
        self,
        study: str,
        number: int,
        *,
        state: State,
        reason: str = "",
        failure_kind: str = "",
        failure_details: str = "",
        ended_at: datetime,
        front: str | None = None,
    ) -> bool:
        """Write how a trial ended, and what the front is by it; whether that was news: the first ending stays.

        Raises:
            ValueError: the state is no ending, or there is no such trial.
        """
        if state is State.RUNNING:
            raise ValueError("running is no way to end")
        ending = rows.ending_values(
            state=state, reason=reason, failure_kind=failure_kind, failure_details=failure_details, ended_at=ended_at
        )
        with self.transaction() as connection:
            study_id = self.study_id(connection, study)
            running = queries.is_trial(study_id, number) & (TRIAL.c.state == State.RUNNING.value)
            if connection.execute(update(TRIAL).where(running).values(ending)).rowcount == 1:
                told = [Event(at=ended_at, kind=state.value, trial=number, text=reason)]
                told += [Event(at=ended_at, kind=EventKind.FRONT, trial=number, text=front)] if front else []
                events.add(connection, study_id, *told)
                return True
            queries.recorded(connection, study_id, number)
        return False

    def correct_digest(self, study: str, number: int, digest: str) -> None:
        """Write the digest that a trial's architecture has.

        Raises:
            ValueError: there is no such trial.
        """
        with self.transaction() as connection:
            known = queries.is_trial(self.study_id(connection, study), number)
            if connection.execute(update(TRIAL).where(known).values(digest=digest)).rowcount == 0:
                raise queries.no_trial(number)

    def set_attempts(self, study: str, number: int, attempts: int, why: str = "") -> None:
        """Write how many times a trial was handed out again, and why; twice changes nothing, and it never falls.

        Raises:
            ValueError: there is no such trial.
        """
        with self.transaction() as connection:
            study_id = self.study_id(connection, study)
            fewer = queries.is_trial(study_id, number) & (TRIAL.c.attempts < attempts)
            if connection.execute(update(TRIAL).where(fewer).values(attempts=attempts)).rowcount == 1:
                now = datetime.now(UTC)
                events.add(connection, study_id, Event(at=now, kind=EventKind.RETRIED, trial=number, text=why))
            queries.recorded(connection, study_id, number)

    def claim(self, study: str, trial: TrialRecord, session: int) -> bool:
        """Take a running trial over from the launch that it had, and say whether nobody else was faster."""
        had = TRIAL.c.session_id.is_not_distinct_from(trial.session) | (TRIAL.c.session_id == session)
        with self.transaction() as connection:
            running = queries.is_trial(self.study_id(connection, study), trial.number) & (TRIAL.c.state == "running")
            return connection.execute(update(TRIAL).where(running & had).values(session_id=session)).rowcount == 1

    def trials_since(self, study: str, newest: int, some: Collection[int]) -> list[TrialRecord]:
        """Return the trials above a number, and some below it, with their measurements."""
        with self.snapshot() as connection:
            mine = TRIAL.c.study_id == self.study_id(connection, study)
            news = (TRIAL.c.number > newest) | TRIAL.c.number.in_(some)
            return queries.trials(connection, mine & news, self.damage)

    def trials(self, study: str) -> list[TrialRecord]:
        """Return every trial of a study by its number, with its measurements."""
        with self.snapshot() as connection:
            study_id = self.study_id(connection, study)
            found = queries.trials(connection, TRIAL.c.study_id == study_id, self.damage)
            return queries.with_replicates(connection, study_id, found, self.damage, all_there=True)

    def trial(self, study: str, number: int) -> TrialRecord | None:
        """Return one trial with its measurements, if it is there."""
        with self.snapshot() as connection:
            study_id = self.study_id(connection, study)
            found = queries.trials(connection, queries.is_trial(study_id, number), self.damage)
            return next(iter(queries.with_replicates(connection, study_id, found, self.damage, all_there=False)), None)

    def add_event(self, study: str, event: Event) -> None:
        """Write what happened; twice changes nothing."""
        with self.transaction() as connection:
            study_id = self.study_id(connection, study)
            if not events.is_told(connection, study_id, event):
                events.add(connection, study_id, event)

    def events(self, study: str, after: int = -1, most: int | None = None) -> list[Event]:
        """Return what happened since an event's number, oldest first; all of it without one."""
        with self.snapshot() as connection:
            known = (EVENT.c.study_id == self.study_id(connection, study)) & (EVENT.c.seq > after)
            found = queries.whole_rows(EVENT).where(known).order_by(EVENT.c.seq).limit(most)
            return self._made(connection.execute(found).mappings().all(), EVENT, "seq", rows.event_record)

    def add_rejection(self, study: str, rejection: Rejection) -> None:
        """Write a proposal that never became a trial."""
        with self.transaction() as connection:
            values = {"study_id": self.study_id(connection, study), **rows.rejection_values(rejection)}
            connection.execute(self._insert(REJECTION).values(values))

    def rejections(self, study: str) -> list[Rejection]:
        """Return the proposals that never became trials, oldest first."""
        with self.snapshot() as connection:
            return self._records(connection, REJECTION, study, rows.rejection_record)

    def add_host(self, study: str, host: Host) -> None:
        """Write what a machine computes right; to write it twice for a launch changes nothing."""
        with self.transaction() as connection:
            values = {"study_id": self.study_id(connection, study), **rows.host_values(host)}
            same = [
                HOST.c[name].is_not_distinct_from(values[name]) for name in ("study_id", "session_id", "host", "kind")
            ]
            if connection.execute(select(HOST.c.id).where(*same)).first() is None:
                connection.execute(self._insert(HOST).values(values))

    def hosts(self, study: str) -> list[Host]:
        """Return the machines that trained for a study, by launch, oldest first."""
        with self.snapshot() as connection:
            return self._records(connection, HOST, study, rows.host_record)

    def open_session(self, study: str, *, started_at: datetime, machine: Mapping[str, str]) -> int:
        """Write that this process launched a study, and return the number of the session."""
        moment = rows.to_utc(started_at)
        values = {"started_at": moment, "seen_at": moment, "machine": rows.to_json(machine)}
        who = {"host": node(), "process": os.getpid()}
        with self.transaction() as connection:
            study_id = self.study_id(connection, study)
            row = {"study_id": study_id, **values, **who, **asdict(Spent())}
            statement = self._insert(SESSION).values(row).returning(SESSION.c.id)
            told = f"process {who['process']} on {who['host']}"
            events.add(connection, study_id, Event(at=started_at, kind=EventKind.LAUNCHED, text=told))
            return int(connection.execute(statement).scalar_one())

    def touch_session(self, session_id: int, *, seen_at: datetime, spent: Spent) -> None:
        """Write that a launch is alive, and where its seconds went so far, all in all.

        Raises:
            ValueError: there is no such session.
        """
        values = {"seen_at": rows.to_utc(seen_at), **asdict(spent)}
        with self.transaction() as connection:
            statement = update(SESSION).where(SESSION.c.id == session_id).values(values)
            if connection.execute(statement).rowcount == 0:
                raise ValueError(f"there is no session {session_id}")

    @contextmanager
    def living(self, session: int) -> Iterator[None]:
        """Let others see, until the end, that this launch is alive."""
        name = f"session {session}"
        self._holds[name] = holds.hold(self._engine, name)
        try:
            self.reacquire_lock()
            yield
        finally:
            self._holds.pop(name).drop()

    def is_living(self, session: int) -> bool:
        """Whether the process of a launch is alive and has its connection to the database (PostgreSQL)."""
        with self.speaking():
            return holds.is_held(self._engine, f"session {session}")

    def flow(self, study: str, number: int) -> tuple[Row, ...]:
        """Return what came through each block of a trial, epoch by epoch; nothing where that is not recorded."""
        with self.snapshot() as connection:
            return flows.of(connection, self.study_id(connection, study), number)

    def sessions(self, study: str) -> list[Session]:
        """Return the launches of a study, oldest first."""
        with self.snapshot() as connection:
            return self._records(connection, SESSION, study, rows.session_record)

    def _records(
        self, connection: Connection, table: Table, study: str, make: Callable[[RowMapping], Record]
    ) -> list[Record]:
        """Return what the rows of a table tell of a study, oldest first."""
        return self._made(self._of_study(connection, table, study), table, "id", make)

    def _made(
        self, found: Sequence[RowMapping], table: Table, key: str, make: Callable[[RowMapping], Record]
    ) -> list[Record]:
        """Return what rows tell, without those that nobody can read, which are noted."""
        lost = Lost(table=table.name)
        made = (self.damage.read(partial(make, row), f"row {row[key]} of {table.name}", lost) for row in found)
        return [record for record in made if record is not None]

    def _of_study(self, connection: Connection, table: Table, study: str) -> list[RowMapping]:
        known = queries.whole_rows(table).where(table.c.study_id == self.study_id(connection, study))
        return list(connection.execute(known.order_by(table.c.id)).mappings())
