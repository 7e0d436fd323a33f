"""`python -m search.doctor` says what disagrees, changes nothing unasked, and mends without losing a measurement.

One ward for each kind of database: a study for each disagreement, all planted for real, looked at, mended, looked at
again. The tests are statements about what happened there.
"""

import json
import random
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString
from unittest.mock import patch

import alembic.util.pyfiles
import optuna
import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from fsspec.implementations.memory import MemoryFileSystem
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from search import doctor
from search.config.study import parse
from search.core.records import State, StudyRecord, TrialRecord
from search.storage.rows import measurement_values, study_values, trial_values
from search.storage.store import Store
from search.storage.tables import VERSION_TABLE
from search.study.running import RunningStudy
from spaces.errors import TrialFailure
from tests.search.bench import FILE, Bench, learn, record_of, sql
from workers import checkpoint
from workers.places import open_folder
from workers.trainer import TrialSpec

pytestmark = pytest.mark.slow

Dump = dict[str, list[str]]
Capture = pytest.CaptureFixture[str]
MakeStudy = Callable[..., StudyRecord]
MakeTrial = Callable[..., TrialRecord]


@dataclass(frozen=True, kw_only=True)
class Patient:
    """Hold a study with a complete trial (0), a stopped one, a failed one and a running one (3), and plant things."""

    name: str
    bench: Bench
    running: RunningStudy
    folder: Path

    def file(self, name: str) -> Path:
        return self.folder / name

    def sql(self, statement: str) -> None:
        """Execute a statement; `{trial}` is the condition of a row in nas_trial, `{optunas}` of one in trials."""
        study = f"(SELECT id FROM nas_study WHERE name = '{self.name}')"
        theirs = f"(SELECT study_id FROM studies WHERE study_name = '{self.name}')"
        with sql(self.bench.url) as connection:
            connection.execute(sa.text(statement.format(trial=f"study_id = {study}", optunas=f"study_id = {theirs}")))

    def optunas(self) -> optuna.Study:
        return self.running.recorder.optuna


def admit(url: str, folder: Path, name: str) -> Patient:
    """Make a study as a launch that was killed leaves it."""
    scheduler = {"name": "asha", "grace_epochs": 1, "max_epochs": 3, "keep": 0.5}
    config = parse({**FILE, "study": name, "checkpoints": str(folder), "scheduler": scheduler})
    bench = Bench(url=url, config=config, record=record_of(config))
    running = bench.open()
    trials = [running.hand_out() for _ in range(4)]
    assert all(isinstance(trial, TrialRecord) for trial in trials)
    patient = Patient(name=name, bench=bench, running=running, folder=folder / f"{name}-20260102T120000")
    bench.train(running, running.trials[0])
    running.measured(1, learn(running.trials[1], 1).showing(accuracy=0.11))
    running.failed(2, TrialFailure("crash", "ValueError: no"))
    running.measured(3, learn(running.trials[3], 1).showing(accuracy=0.9))
    for number in (0, 3):
        checkpoint.save(patient.file(f"{number}.pt"), state_of(patient, number))
    assert [trial.state for trial in running.trials.values()] == [*list(State)[1:], State.RUNNING]
    return patient


def state_of(patient: Patient, number: int, **changes: Any) -> dict[str, Any]:
    """Return what a checkpoint holds of a trial; the weights do not matter here."""
    trial, config = patient.running.trials[number], patient.bench.config
    spec = TrialSpec(
        architecture=trial.architecture, recipe=config.full_recipe, data=config.data_spec, seed=trial.seed
    )  # fmt: skip
    return {"spec": {**spec.to_json(), **changes}, "history": [number]}


# What can go wrong. Each may come to a study that has other things wrong.


def untold(patient: Patient) -> None:
    """Kill the driver between our table and Optuna's."""
    with patch.object(type(patient.running.recorder), "_tell", side_effect=KeyboardInterrupt), _killed():
        patient.running.failed(3, TrialFailure("crash", "ValueError: no"))


def begun(patient: Patient) -> None:
    """Kill the driver between Optuna's table and ours."""
    with patch.object(Store, "add_trial", side_effect=KeyboardInterrupt), _killed():
        patient.running.hand_out()


@contextmanager
def _killed() -> Iterator[None]:
    with pytest.raises(KeyboardInterrupt):
        yield


def deleted(patient: Patient) -> None:
    patient.running.recorder.storage.delete_study(patient.running.recorder._study_id)


def hole(patient: Patient) -> None:
    row = "(SELECT trial_id FROM trials WHERE number = 1 AND {optunas})"
    for table in ("trial_params", "trial_user_attributes", "trial_system_attributes", "trial_values", "trials"):
        patient.sql(f"DELETE FROM {table} WHERE trial_id = {row}")


def stranger(patient: Patient) -> None:
    patient.optunas().enqueue_trial({"depth": 3})


def given_up(patient: Patient) -> None:
    patient.optunas().tell(3, state=TrialState.FAIL)


def optimist(patient: Patient) -> None:
    patient.optunas().tell(3, [0.9, 1.0])


def forgotten(patient: Patient) -> None:
    patient.sql("DELETE FROM nas_trial WHERE number = 2 AND {trial}")


def early(patient: Patient) -> None:
    patient.sql(f"DELETE FROM nas_measurement WHERE epoch = 3 AND {_of_trial(0)}")


def gap(patient: Patient) -> None:
    patient.sql(f"DELETE FROM nas_measurement WHERE epoch = 2 AND {_of_trial(0)}")


def double(patient: Patient) -> None:
    """Write an epoch twice; our own tables refuse that, so these are copies without their keys."""
    patient.sql("CREATE TABLE keyless AS SELECT * FROM nas_measurement")
    patient.sql("DROP TABLE nas_measurement")
    patient.sql("ALTER TABLE keyless RENAME TO nas_measurement")
    patient.sql(f"INSERT INTO nas_measurement SELECT * FROM nas_measurement WHERE epoch = 2 AND {_of_trial(0)}")


def _of_trial(number: int) -> str:
    return f"trial_id = (SELECT id FROM nas_trial WHERE number = {number} AND {{trial}})"


def mislabelled(patient: Patient) -> None:
    patient.sql("UPDATE nas_trial SET digest = 'as it was then' WHERE number = 1 AND {trial}")


def twin(patient: Patient) -> None:
    for column in ("architecture", "digest"):
        first = f"(SELECT {column} FROM nas_trial WHERE number = 0 AND {{trial}})"
        patient.sql(f"UPDATE nas_trial SET {column} = {first} WHERE number = 1 AND {{trial}}")


def unsaved(patient: Patient) -> None:
    patient.file("3.pt").unlink(missing_ok=True)


def lost(patient: Patient) -> None:
    patient.file("0.pt").unlink(missing_ok=True)


def elsewhere(patient: Patient) -> None:
    shutil.rmtree(patient.folder, ignore_errors=True)


def damaged(patient: Patient) -> None:
    _spoil(patient.file("3.pt"))


def damaged_front(patient: Patient) -> None:
    _spoil(patient.file("0.pt"))


def damaged_with_one_before(patient: Patient) -> None:
    checkpoint.save(patient.file("3.pt"), {"history": [3, 4]})
    damaged(patient)


def damaged_both(patient: Patient) -> None:
    damaged_with_one_before(patient)
    _spoil(patient.file("3.before.pt"))


def between_two_names(patient: Patient) -> None:
    """Kill the writers between the two names that a checkpoint takes."""
    for number in (0, 3):
        if patient.file(f"{number}.pt").exists():
            patient.file(f"{number}.pt").rename(patient.file(f"{number}.before.pt"))


def needless_before(patient: Patient) -> None:
    checkpoint.save(patient.file("0.pt"), {"history": [0, 1]})
    for _ in range(2):
        checkpoint.save(patient.file("1.pt"), {"history": [1]})


def over_limit(patient: Patient) -> None:
    lost(patient)
    patient.file("0.over-limit").touch()


def of_another_training(patient: Patient) -> None:
    checkpoint.save(patient.file("3.pt"), state_of(patient, 3, seed=-1))


def _spoil(file: Path) -> None:
    if file.exists():
        kept = file.read_bytes()
        file.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))


def needless(patient: Patient) -> None:
    checkpoint.save(patient.file("1.pt"), {"history": [1]})


def torn(patient: Patient) -> None:
    patient.folder.mkdir(exist_ok=True)
    for name in (".3.pt.4711", ".1.pt.4712"):
        patient.file(name).write_bytes(b"half")
    patient.file("notes.txt").write_text("somebody's")


def sound(_patient: Patient) -> None:
    """Plant nothing."""


# What is said of each before, and what is left after --fix; the trial that waits for a launch is left out.
PLANTS: dict[Callable[[Patient], None], tuple[list[tuple[str, int | None, str]], list[tuple[str, int | None, str]]]] = {
    sound: ([], []),
    untold: ([("unfinished", 3, "fix"), ("needless", 3, "fix")], []),
    begun: ([("unfinished", 4, "fix")], []),
    deleted: ([("unfinished", number, "fix") for number in range(4)], []),
    hole: ([("stranger", None, "person"), ("unfinished", 1, "person")],) * 2,
    stranger: ([("stranger", 4, "person")],) * 2,
    given_up: ([("unfinished", 3, "person")],) * 2,
    optimist: ([("fidelity", 3, "person")],) * 2,
    forgotten: ([("stranger", 2, "person")],) * 2,
    early: ([("fidelity", 0, "person")],) * 2,
    gap: ([("epochs", 0, "person")],) * 2,
    mislabelled: ([("digest", 1, "fix")], []),
    twin: ([("duplicate", 1, "person")],) * 2,
    unsaved: ([("missing", 3, "launch")],) * 2,
    lost: ([("missing", 0, "accept")],) * 2,
    elsewhere: ([("missing", None, "accept")],) * 2,
    of_another_training: ([("strange", 3, "launch")],) * 2,
    damaged: ([("broken", 3, "fix")], [("missing", 3, "launch")]),
    damaged_front: ([("broken", 0, "fix")], [("missing", 0, "accept")]),
    damaged_with_one_before: ([("broken", 3, "fix")], []),
    damaged_both: ([("broken", 3, "fix")], [("missing", 3, "launch")]),
    between_two_names: ([("behind", 0, "fix"), ("behind", 3, "launch")], [("behind", 3, "launch")]),
    needless: ([("needless", 1, "fix")], []),
    needless_before: ([("needless", 0, "fix"), ("needless", 1, "fix")], []),
    over_limit: ([], []),
    torn: ([("half-written", 1, "fix"), ("half-written", 3, "fix")], []),
    double: ([("epochs", 0, "person")],) * 2,
}


def dump(url: str) -> Dump:
    """Return every row of every table as text."""
    with sql(url) as connection:
        known = sa.MetaData()
        known.reflect(connection)
        return {
            name: sorted(repr(tuple(row)) for row in connection.exec_driver_sql(f'SELECT * FROM "{name}"'))
            for name in known.tables
        }


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@dataclass(kw_only=True)
class Visit:
    """Hold what one call of the command said, and what there was behind it."""

    code: int
    out: str
    tables: Dump
    files: dict[str, bytes]

    @property
    def findings(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.out)
        return found

    def told(self, study: str) -> list[tuple[str, int | None, str]]:
        """Return what is left of a study, without the running trial of each."""
        told = [(each["kind"], each["trial"], each["fate"]) for each in self.findings
                if each["study"] == study and not each["mended"]]  # fmt: skip
        return [each for each in told if each[0] != "orphan"]


@dataclass(kw_only=True)
class Ward:
    """Call the command on a database and remember what came of it."""

    url: str
    folder: Path
    visits: dict[str, Visit] = field(default_factory=dict)

    def visit(self, name: str, *given: str) -> Visit:
        said: list[str] = []

        def hear(*texts: object, file: object = None) -> None:
            said.extend([" ".join(map(str, texts))] if file is None else [])

        with patch("builtins.print", hear):
            code = doctor.main([self.url, *given])
        self.visits[name] = Visit(code=code, out="\n".join(said), tables=dump(self.url), files=files(self.folder))
        return self.visits[name]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def ward(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    """Give a database of each kind whose every study has one thing wrong, and what the doctor did about it."""
    folder = tmp_path_factory.mktemp("runs")
    if request.param == "sqlite":
        yield _treated(f"sqlite:///{tmp_path_factory.mktemp('ward')}/ward.db", folder)
        return
    server: str = request.getfixturevalue("postgres_server")
    _tell_server(server, "CREATE DATABASE ward")  # its own, since other tests empty the usual one
    yield _treated(server.replace("/postgres?", "/ward?"), folder)
    _tell_server(server, "DROP DATABASE ward WITH (FORCE)")


def _tell_server(server: str, statement: LiteralString) -> None:
    with psycopg.connect(server.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(statement)


def _treated(url: str, folder: Path) -> Ward:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(alembic.util.pyfiles, "load_module_py", _loading_once())
        for plant in PLANTS:
            patient = admit(url, folder, plant.__name__)
            plant(patient)
            patient.bench.close()
        ward = Ward(url=url, folder=folder)
        ward.visits["before"] = Visit(code=0, out="", tables=dump(url), files=files(folder))
        ward.visit("look", "--json")
        ward.visit("text")
        ward.visit("fix", "--fix", "--json")
        ward.visit("again", "--fix", "--json")
        ward.visit("sound", "--study", "sound")
        ward.visit("one", "--study", "given_up")
    return ward


def _loading_once() -> Callable[[str, str], Any]:
    """Spare Optuna's migrations, read whenever its tables are opened: half of the time that these tests take."""
    load, loaded = alembic.util.pyfiles.load_module_py, dict[tuple[str, str], Any]()

    def once(name: str, path: str) -> Any:
        if Path(path).parent.name != "versions":
            return load(name, path)
        if (name, path) not in loaded:
            loaded[name, path] = load(name, path)
        return loaded[name, path]

    return once


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_each_disagreement_is_told(plant: Callable[[Patient], None], ward: Ward) -> None:
    said, _ = PLANTS[plant]
    assert sorted(ward.visits["look"].told(plant.__name__), key=str) == sorted(said, key=str)


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_fix_leaves_only_what_it_cannot_mend(plant: Callable[[Patient], None], ward: Ward) -> None:
    said, left = PLANTS[plant]
    for name in ("fix", "again"):
        assert sorted(ward.visits[name].told(plant.__name__), key=str) == sorted(left, key=str)
    mended = [
        (each["kind"], each["trial"]) for each in ward.visits["fix"].findings
        if each["mended"] and each["study"] == plant.__name__
    ]  # fmt: skip
    assert sorted(mended) == sorted((kind, trial) for kind, trial, fate in said if fate == "fix")


def test_nothing_changes_unasked(ward: Ward) -> None:
    before = ward.visits["before"]
    for name in ("look", "text"):
        assert ward.visits[name].tables == before.tables
        assert ward.visits[name].files == before.files


def test_a_second_fix_has_nothing_to_mend(ward: Ward) -> None:
    fixed, again = ward.visits["fix"], ward.visits["again"]
    assert not any(each["mended"] or each["fate"] == "fix" for each in again.findings)
    assert (again.tables, again.files) == (fixed.tables, fixed.files)


def test_no_measurement_and_no_trial_is_lost_or_changed(ward: Ward) -> None:
    before, after = ward.visits["before"].tables, ward.visits["fix"].tables
    for table in ("nas_measurement", "nas_study", "nas_rejection", "nas_session"):
        assert after[table] == before[table]
    kept = [row for row in before["nas_trial"] if "as it was then" not in row]
    assert set(kept) <= set(after["nas_trial"])
    assert len(after["nas_trial"]) == len(before["nas_trial"]) + 1  # which only Optuna knew


def test_only_needless_files_go_and_damaged_ones_are_kept_aside(ward: Ward) -> None:
    before, after = ward.visits["before"].files, ward.visits["fix"].files
    begun = "-20260102T120000"
    moved = {f"damaged{begun}/3.pt", f"damaged_front{begun}/0.pt", f"damaged_both{begun}/3.pt"}
    replaced = f"damaged_with_one_before{begun}/3.pt"
    put_in_place = f"between_two_names{begun}/0.pt"
    removed = {
        f"untold{begun}/3.pt", f"needless{begun}/1.pt", f"torn{begun}/.3.pt.4711", f"torn{begun}/.1.pt.4712",
        *(f"needless_before{begun}/{name}" for name in ("0.before.pt", "1.pt", "1.before.pt")),
    }  # fmt: skip
    older = {_before(replaced), _before(put_in_place)}
    assert before.keys() - after.keys() == moved | removed | older
    assert after.keys() - before.keys() == {*(f"{name}.broken" for name in (*moved, replaced)), put_in_place}
    assert all(after[f"{name}.broken"] == before[name] for name in (*moved, replaced))
    assert all(after[name] == before[_before(name)] for name in (replaced, put_in_place))
    assert all(after[name] == before[name] for name in after.keys() & before.keys() - {replaced})


def _before(name: str) -> str:
    return name.replace(".pt", ".before.pt")


def test_what_was_mended_goes_on(ward: Ward) -> None:
    """A launch finds the trials that it would have found without the crash."""
    storage = RDBStorage(ward.url, skip_table_creation=True)
    with Store.open(ward.url) as store:
        for name, count in (("untold", 4), ("begun", 5), ("deleted", 4), ("damaged", 4)):
            ours = store.trials(name)
            rows = optuna.load_study(study_name=name, storage=storage).get_trials()
            assert [trial.number for trial in ours] == [row.number for row in rows] == list(range(count))
            assert [trial.state is State.RUNNING for trial in ours] == [not row.state.is_finished() for row in rows]
        assert store.trials("mislabelled")[1].digest == store.trials("sound")[1].digest
    storage.remove_session()
    storage.engine.dispose()


def test_every_finding_is_one_line_and_the_last_line_counts(ward: Ward) -> None:
    lines, found = ward.visits["text"].out.splitlines(), ward.visits["look"].findings
    assert len(lines) == len(found) + 1
    for line, each in zip(lines, found, strict=False):
        assert line.startswith(each["study"])
        assert each["wrong"] in line
        assert each["remedy"] in line
        assert ("--fix removes" in line) == (each["kind"] in ("needless", "half-written"))
    studies = [each["study"] for each in found]
    assert [name for name, before in zip(studies, [None, *studies], strict=False) if name != before] == sorted(
        set(studies), key=studies.index
    )  # one group for each
    wrong = [each["fate"] for each in found if each["fate"] != "launch"]
    assert lines[-1].startswith(f"{len(wrong)} findings, {wrong.count('fix')} of which --fix mends; ")


def test_the_exit_code_says_whether_something_wrong_is_left(ward: Ward) -> None:
    assert {name: ward.visits[name].code for name in ("look", "text", "fix", "again", "one", "sound")} == {
        "look": 1, "text": 1, "fix": 1, "again": 1, "one": 1, "sound": 0,
    }  # fmt: skip


def test_a_study_that_waits_for_its_next_launch_has_nothing_wrong(ward: Ward) -> None:
    assert ward.visits["sound"].out.splitlines() == [
        "sound trial 3: orphan: running, but no launch is; the next launch goes on with it",
        "1 study, 4 trials: nothing is wrong; 1 trial for the next launch to go on with",
    ]
    assert ward.visits["one"].out.splitlines() == [
        "given_up trial 3: unfinished: failed in Optuna's table, running in ours; only a person can decide: where ours "
        "is right, delete the study from Optuna's tables, and --fix writes it there anew",
        "1 finding, 0 of which --fix mends",
    ]


# Single studies on SQLite


@pytest.fixture
def patient(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Patient]:
    """Give a study with nothing wrong."""
    monkeypatch.setattr(alembic.util.pyfiles, "load_module_py", _loading_once())
    admitted = admit(sqlite_url, tmp_path / "runs", "bench")
    yield admitted
    admitted.bench.close()


def test_all_mended_is_well(patient: Patient, capsys: Capture) -> None:
    for plant in (untold, needless, mislabelled):
        plant(patient)
    patient.bench.close()
    assert doctor.main([patient.bench.url, "--fix"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "bench trial 1: needless: its checkpoint is left, and nothing needs it; mended: removes 1.pt",
        "bench trial 1: digest: digest as it was then is not its network's; mended: writes "
        f"{patient.running.trials[1].digest}",
        "bench trial 3: unfinished: failed in ours, running in Optuna's table; mended: tells Optuna that it is failed",
        "bench trial 3: needless: its checkpoint is left, and nothing needs it; mended: removes 3.pt",
        "4 findings, 4 of which are mended",
    ]
    assert doctor.main([patient.bench.url]) == 0
    assert capsys.readouterr().out == "1 study, 4 trials: nothing is wrong\n"


@pytest.mark.parametrize("plant", [lost, elsewhere])
def test_a_network_whose_weights_are_lost_can_be_kept_without_them(
    plant: Callable[[Patient], None], patient: Patient, capsys: Capture
) -> None:
    unsaved(patient)
    plant(patient)
    patient.bench.close()
    for asked in ([], ["--fix"]):  # neither of which decides what a person has to
        assert doctor.main([patient.bench.url, *asked]) == 1
    assert "--accept keeps what is on the front without them" in capsys.readouterr().out
    assert doctor.main([patient.bench.url, "--accept"]) == 0
    assert "accepted without its weights" in capsys.readouterr().out
    assert doctor.main([patient.bench.url]) == 0
    assert "nothing is wrong" in capsys.readouterr().out
    assert patient.running.trials[0].number in {trial.number for trial in patient.running.trials.front}


def test_deleting_the_study_from_optunas_tables_is_a_way_out(patient: Patient, capsys: Capture) -> None:
    given_up(patient)
    stranger(patient)
    assert doctor.main([patient.bench.url, "--fix"]) == 1
    deleted(patient)
    patient.bench.close()
    assert doctor.main([patient.bench.url, "--fix"]) == 0
    assert doctor.main([patient.bench.url]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("1 study, 4 trials: nothing is wrong")


@pytest.mark.parametrize("seed", range(8))
def test_whatever_comes_together_no_measurement_is_lost(seed: int, patient: Patient, capsys: Capture) -> None:
    drawn = random.Random(seed)
    two_files = [damaged_with_one_before, damaged_both, between_two_names, needless_before, over_limit]
    plants = [plant for plant in PLANTS if plant not in (given_up, optimist, untold, deleted, *two_files)]
    chosen = [*drawn.sample(plants, 7), drawn.choice([given_up, optimist, untold]), drawn.choice(two_files)]
    for plant in sorted(chosen, key=lambda plant: plant is not begun):  # a live launch would notice the others
        plant(patient)
    if seed % 2:
        deleted(patient)
    patient.bench.close()
    url, folder = patient.bench.url, patient.folder
    before, held = dump(url), files(folder) if folder.exists() else {}
    readable = {name: kept for name, kept in held.items() if name in ("0.pt", "3.pt")}
    doctor.main([url])
    assert dump(url) == before
    doctor.main([url, "--fix"])
    after = dump(url)
    assert after["nas_measurement"] == before["nas_measurement"]
    assert len(after["nas_trial"]) >= len(before["nas_trial"])
    with Store.open(url) as store:
        ended = {f"{trial.number}.pt" for trial in store.trials("bench") if trial.state is State.FAILED}
    assert {name for name in readable if name not in ended} <= {name.removesuffix(".broken") for name in files(folder)}
    doctor.main([url, "--fix"])
    assert dump(url) == after
    assert re.search(r" 0 of which are mended|nothing is wrong", capsys.readouterr().out.splitlines()[-1])


def test_fix_is_refused_while_a_launch_holds_the_study(store: Store, make_study: MakeStudy, capsys: Capture) -> None:
    store.add_study(make_study("held"))
    held, done = threading.Event(), threading.Event()

    def launch() -> None:
        with Store.open(store.url) as other, other.hold("held"):
            held.set()
            done.wait(240)

    thread = threading.Thread(target=launch)
    thread.start()
    try:
        held.wait(240)
        before = dump(store.url)
        assert doctor.main([store.url, "--fix"]) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert err.startswith("error: --fix is refused: another launch is running 'held' in ")
        assert dump(store.url) == before
        assert doctor.main([store.url]) == 0
        assert capsys.readouterr().out == "1 study, 0 trials: nothing is wrong\n"
    finally:
        done.set()
        thread.join()


def test_a_running_study_is_between_two_writes_and_that_is_fine(patient: Patient, capsys: Capture) -> None:
    for plant in (begun, torn, unsaved, mislabelled):
        plant(patient)
    with Store.open(patient.bench.url) as other, other.hold("bench"):
        assert doctor.main([patient.bench.url]) == 1
    out, err = capsys.readouterr()
    assert [line.split("; ")[0] for line in out.splitlines()] == [
        "bench trial 1: digest: digest as it was then is not its network's",
        "1 finding, 1 of which --fix mends",
    ]
    notes = err.splitlines()
    assert notes[0] == "note: bench is running; its checkpoints and unfinished recordings are its own"
    assert notes[1].startswith("note: bench: processors: not known whether what trained trials ")


def test_a_launch_that_died_before_optunas_tables_were_made_has_nothing_wrong(
    store: Store, make_study: MakeStudy, capsys: Capture
) -> None:
    store.add_study(make_study("young"))
    before = dump(store.url)
    assert doctor.main([store.url]) == 0
    assert capsys.readouterr().out == "1 study, 0 trials: nothing is wrong\n"
    assert dump(store.url) == before


def test_a_database_without_a_study_has_nothing_wrong(store: Store, capsys: Capture) -> None:
    assert doctor.main([store.url, "--json"]) == 0
    assert capsys.readouterr().out == "[]\n"
    assert doctor.main([store.url]) == 0
    assert capsys.readouterr().out == "0 studies, 0 trials: nothing is wrong\n"


# Tables of another version


def _make_older_tables(url: str, study: StudyRecord, trial: TrialRecord) -> None:
    config = Config()
    config.set_main_option("script_location", "search.storage:migrations")
    config.set_main_option("path_separator", "os")
    rows = [("nas_study", study_values(study)), ("nas_trial", trial_values(trial) | {"study_id": 1})]
    rows += [
        ("nas_measurement", measurement_values(each) | dict(each.metrics) | {"trial_id": 1})
        for each in trial.measurements
    ]
    with sql(url) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for table, row in rows:
            made = sa.Table(table, sa.MetaData(), autoload_with=connection)
            connection.execute(made.insert(), {name: value for name, value in row.items() if name in made.c})


def test_checkpoints_behind_a_url_are_looked_at_and_mended(sqlite_url: str, tmp_path: Path, capsys: Capture) -> None:
    MemoryFileSystem.store.clear()
    patient = admit(sqlite_url, tmp_path, "remote")
    for plant in (damaged_with_one_before, needless, torn):
        plant(patient)
    patient.sql(f"UPDATE nas_study SET config = REPLACE(config, '{tmp_path}', 'memory://doctor') WHERE name = 'remote'")
    patient.bench.close()
    folder = open_folder(f"memory://doctor/{patient.folder.name}")
    assert doctor.main([sqlite_url]) == 1  # they are not there
    assert f"there is no {folder}, where 2 trials have their checkpoints" in capsys.readouterr().out
    for file in patient.folder.iterdir():
        folder.write(file.name, file.read_bytes())
    assert doctor.main([sqlite_url, "--fix"]) == 0
    assert "4 findings, 4 of which are mended" in capsys.readouterr().out
    assert folder.sizes().keys() == {"0.pt", "3.pt", "3.pt.broken", "notes.txt"}
    assert (checkpoint.load(f"{folder}/3.pt") or {})["history"] == [3]


def test_a_url_whose_driver_is_not_here_is_one_line(sqlite_url: str, tmp_path: Path, capsys: Capture) -> None:
    patient = admit(sqlite_url, tmp_path, "remote")
    patient.sql(f"UPDATE nas_study SET config = REPLACE(config, '{tmp_path}', 'nosuch://here')")
    patient.bench.close()
    assert doctor.main([sqlite_url]) == 2
    assert capsys.readouterr().err.startswith("error: checkpoints: nosuch://here/remote-")


def test_older_tables_are_said_to_be_and_migrated_only_when_asked(
    store_url: str, tmp_path: Path, make_study: MakeStudy, make_trial: MakeTrial, capsys: Capture
) -> None:
    study = make_study("old", config={"checkpoints": str(tmp_path)}, space=FILE["space"])
    _make_older_tables(store_url, study, make_trial(0, accuracies=[0.5], state=State.STOPPED, reason="epoch 1"))
    before = dump(store_url)
    assert doctor.main([store_url]) == 1
    said, summary = capsys.readouterr().out.splitlines()
    assert said.startswith("database: schema: the tables are at version 0001, this program knows 0")
    assert said.endswith("; --fix migrates them; the rest is looked at after that")
    assert summary == "1 finding, 1 of which --fix mends"
    assert dump(store_url) == before
    with Store.open(store_url, create=False, migrate=False) as store, store.hold("old"):
        assert doctor.main([store_url, "--fix"]) == 2  # a launch of the older version would not know the tables again
        assert dump(store_url) == before
    capsys.readouterr()
    assert doctor.main([store_url, "--fix"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[1] for line in lines[:-1]] == ["schema", "unfinished"]
    assert lines[-1] == "2 findings, 2 of which are mended"
    with Store.open(store_url, create=False) as store:
        assert store.trials("old")[0].measurements == make_trial(0, accuracies=[0.5]).measurements
    assert doctor.main([store_url]) == 0
    assert capsys.readouterr().out == "1 study, 1 trial: nothing is wrong\n"


@pytest.mark.parametrize("given", [[], ["--fix"]])
def test_newer_tables_are_refused(given: list[str], store: Store, capsys: Capture) -> None:
    with sql(store.url) as connection:
        connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    assert "made by a newer version: its tables are at 9999" in refusal([store.url, *given], capsys)


# What a person can give wrong


def refusal(given: list[str], capsys: Capture) -> str:
    """Return the one line with which the command ended with 2."""
    assert doctor.main(given) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err.removeprefix("error: ").rstrip("\n")


def test_an_unknown_study_is_refused_with_the_nearest(store: Store, make_study: MakeStudy, capsys: Capture) -> None:
    store.add_study(make_study("digits-front"))
    said = refusal([store.url, "--study", "digit-front"], capsys)
    assert said == "--study: unknown study 'digit-front' (did you mean 'digits-front'?); known are digits-front"


def test_where_there_is_no_database_none_is_made(tmp_path: Path, capsys: Capture) -> None:
    for given in ([], ["--fix"]):
        assert "there is no study in sqlite:///" in refusal([f"sqlite:///{tmp_path}/none.db", *given], capsys)
    assert list(tmp_path.iterdir()) == []


def test_a_password_is_never_printed(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setenv("DOCTOR_STORAGE", "postgresql+psycopg://ada:s3cret@127.0.0.1:1/db")
    said = refusal(["${DOCTOR_STORAGE}"], capsys)
    assert "ada:***@127.0.0.1" in said
    assert "s3cret" not in said


def test_a_file_that_cannot_be_mended_is_one_line(patient: Patient, capsys: Capture) -> None:
    needless(patient)
    patient.bench.close()
    with patch.object(Path, "unlink", side_effect=PermissionError(13, "Permission denied", "/runs/1.pt")):
        assert doctor.main([patient.bench.url, "--fix"]) == 1
    assert capsys.readouterr().err == "error: /runs/1.pt: Permission denied\n"
