"""A study whose space or constraints change goes on with all that it has measured, and nothing is ever half changed."""

import io
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
import sqlalchemy as sa
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console

from search.config.study import parse
from search.core.fronts import front_trials
from search.core.records import EventKind, State, StudyRecord, TrialRecord
from search.doctor import examine
from search.driver.driver import run
from search.driver.growing import Growing, foretold, grown_record, note_weights
from search.driver.opening import begin
from search.storage.store import Store
from search.study.checkpoints import newest, over_limit
from search.study.running import RunningStudy
from spaces.errors import InputError, StudyError, WidefrontError
from tests.search.bench import FILE, NOON, Bench, record_of
from workers.places import LocalFolder

MakeBench = Callable[..., Bench]
SPACE = FILE["space"]
MORE = {**SPACE, "block": {"choice": ["bottleneck", "resnext", "basic"]}, "activation": {"choice": ["crelu", "relu"]}}
SMALL = {"space": MORE, "constraints": {"params": "<= 60k"}}


def grow(bench: Bench, *, asked: bool = True, **sections: Any) -> list[str]:
    """Change a bench's file, and its study, and return what is said."""
    bench.close()
    config = parse({**bench.config.plain(), **sections})
    said: list[str] = []
    with Store.open(bench.url) as store:
        growing = Growing.of(store, config)
        assert growing is not None
        growing.settle(record_of(config), grow=asked, say=said.append, bring=lambda _record: None)
        bench.record = record(store, config.study)
    bench.config = config
    return said


def record(store: Store, name: str) -> StudyRecord:
    found = store.study(name)
    assert found is not None
    return found


def ours(bench: Bench) -> dict[int, TrialRecord]:
    with Store.open(bench.url) as store:
        return {trial.number: trial for trial in store.trials(bench.record.name)}


def theirs(bench: Bench) -> list[FrozenTrial]:
    with bench.optunas() as study:
        return study.trials


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def lived(request: pytest.FixtureRequest, make_bench: MakeBench) -> Bench:
    """Give a study of 14 trials that are complete and stopped, one that rests, and one that waits for a worker."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    bench = make_bench(url, scheduler={"name": "auto", "max_epochs": 3}, budget={"trials": 16})
    live(bench, 14)
    running = bench.open()
    for until in (1, 0):
        trial = running.hand_out()
        assert isinstance(trial, TrialRecord)
        bench.train(running, trial, until=until)
    bench.close()
    return bench


def live(bench: Bench, trials: int) -> RunningStudy:
    """Train to the end of a budget."""
    running = bench.open(budget={"trials": trials})
    bench.train_all(running)
    return running


def kept(trial: TrialRecord) -> TrialRecord:
    """Return a trial without what a change may tell otherwise of it."""
    plain = replace(trial, params={}, outside="")
    if trial.reason.startswith("the study has changed"):
        plain = replace(plain, state=State.RUNNING, reason="", ended_at=None)
    return plain


# What stays


def test_every_measurement_and_number_stays_and_both_fronts_hold_members_alone(lived: Bench) -> None:
    before = ours(lived)
    said = grow(lived, **SMALL)
    now = ours(lived)
    assert {number: kept(trial) for number, trial in now.items()} == {n: kept(trial) for n, trial in before.items()}
    members = [trial for trial in now.values() if not trial.outside]
    assert 0 < len(members) < len(now)
    assert f"{len(members)} of {len(now)} trials stay members" in said[-1]
    assert all(lived.config.search_space.contains(trial.params) for trial in members)
    front = front_trials(lived.record, list(now.values()))
    assert front == front_trials(lived.record, members) != front_trials(lived.record, list(before.values()))
    with lived.optunas() as study:
        assert {trial.number for trial in study.best_trials} == {trial.number for trial in front}
        told = get_param_importances(
            study, evaluator=FanovaImportanceEvaluator(seed=0), target=lambda row: row.values[0]
        )
        assert "activation" in told


def test_optunas_rows_tell_the_new_space_and_are_the_same_rows(lived: Bench) -> None:
    before = theirs(lived)
    grow(lived, **SMALL)
    lived.open()  # tells Optuna of those that were stopped
    now, trials = theirs(lived), ours(lived)
    assert TrialState.WAITING in {row.state for row in before}
    for old, new in zip(before, now, strict=True):
        assert new.params == dict(trials[new.number].params)
        assert new.system_attrs.get("fixed_params", new.params) == new.params
        ended = old.state.is_finished()
        assert (new.number, new._trial_id) == (old.number, old._trial_id)
        assert not ended or (new.state, new.values, new.datetime_start, new.datetime_complete) == (
            old.state, old.values, old.datetime_start, old.datetime_complete,
        )  # fmt: skip
        assert new.user_attrs.items() >= old.user_attrs.items()
        assert new.user_attrs.get("outside", "") == trials[new.number].outside
        assert bool(trials[new.number].outside) == any(by > 0 for by in new.constraints.values())
        assert new.system_attrs["constraints"] == list(new.constraints.values())[: len(new.system_attrs["constraints"])]
    names = {name for row in now for name in row.params}
    for name in names:  # Optuna takes no study whose trials differ in that
        assert len({str(row.distributions[name]) for row in now if name in row.params}) == 1


def test_the_study_goes_on_with_the_new_space(lived: Bench) -> None:
    grow(lived, **SMALL)
    before = ours(lived)
    lived.config = parse({**lived.config.plain(), "budget": {"trials": 26}})
    running = lived.open()
    lived.train_all(running)
    assert running.over
    new = [trial for number, trial in ours(lived).items() if number not in before]
    assert len(new) == 10
    assert all(lived.config.search_space.contains(trial.params) and trial.cost.params <= 60_000 for trial in new)
    assert len({trial.identity for trial in ours(lived).values()}) == 26  # none is an old one in other words
    assert {row.number: row.params for row in theirs(lived)} == {n: dict(t.params) for n, t in ours(lived).items()}
    assert [trial.outside for trial in running.trials.front] == [""] * len(running.trials.front)


@pytest.mark.parametrize("sampler", ["front", "tpe", "nsga2", "random"])
def test_every_sampler_learns_from_what_it_could_propose(make_bench: MakeBench, sampler: str) -> None:
    bench = make_bench(sampler={"name": sampler, "seed": 0}, budget={"trials": 12})
    live(bench, 12)
    grow(bench, space={**SPACE, "depth": {"int": [2, 4]}}, constraints={"params": "<= 200k"})
    bench.config = parse({**bench.config.plain(), "budget": {"trials": 15}})
    running = bench.open()
    known = [trial for trial in running.trials.values() if running.proposer.catalogue.space.contains(trial.params)]
    mirror = running.proposer.mirror.trials[-len(known) :]  # behind what was rejected
    assert [each.params for each in mirror] == [dict(trial.params) for trial in known]
    assert [any(by > 0 for by in each.constraints.values()) for each in mirror] == [bool(t.outside) for t in known]
    assert any(each.values for each in mirror if any(by > 0 for by in each.constraints.values()))
    bench.train_all(running)
    assert len(running.trials) == 15


def test_what_runs_or_rests_and_is_no_member_is_stopped_and_the_others_go_on(lived: Bench) -> None:
    before = ours(lived)
    going = [trial for trial in before.values() if trial.state is State.RUNNING]
    assert len(going) == 2
    gone, stays = (trial for trial in sorted(going, key=lambda trial: trial.cost.params, reverse=True))
    limit = (gone.cost.params + stays.cost.params) // 2
    said = grow(lived, constraints={"params": f"<= {limit}"})
    assert "1 of these, running or at rest, are stopped" in said[-1]
    assert ours(lived)[gone.number].state is State.STOPPED
    assert ours(lived)[stays.number].state is State.RUNNING
    running = lived.open(budget={"trials": 16})
    lived.train_all(running)
    assert not running.trials.running
    assert running.trials[gone.number].epochs == gone.epochs
    assert {row.number: row.state for row in theirs(lived)}[gone.number] is TrialState.PRUNED


def test_a_wider_constraint_lets_networks_in_and_what_was_refused_may_be_proposed(make_bench: MakeBench) -> None:
    bench = make_bench(constraints={"params": "<= 20k"}, budget={"trials": 6})
    running = live(bench, 6)
    refused = {cost_of(running, each.params): each for each in running.rejections if "params" in each.violations}
    assert min(refused) < 500_000 < max(refused)
    grow(bench, constraints={"params": "<= 500k"})
    bench.config = parse({**bench.config.plain(), "budget": {"trials": 12}})
    running = bench.open()
    left = {cost_of(running, each.params) for each in running.rejections if each.violations}
    assert left == {params for params in refused if params > 500_000}
    bench.train_all(running)
    assert any(trial.cost.params > 20_000 for trial in running.trials.values())


def cost_of(running: RunningStudy, params: Any) -> int:
    return running.proposer.catalogue.describe(params).cost.params


def test_a_study_that_grows_back_is_as_it_was(lived: Bench) -> None:
    before, config = ours(lived), lived.config.plain()
    front = front_trials(lived.record, list(before.values()))
    grow(lived, **SMALL)
    grow(lived, space=config["space"], constraints=config["constraints"])
    now = ours(lived)
    assert all(not trial.outside for trial in now.values())
    assert {number: trial.params for number, trial in now.items()} == {n: trial.params for n, trial in before.items()}
    assert front_trials(lived.record, list(now.values())) == front
    with lived.optunas() as study:
        assert {trial.number for trial in study.best_trials} == {trial.number for trial in front}
    assert [earlier["trials"] for earlier in lived.record.earlier] == [16, 16]
    assert [earlier["space"] for earlier in lived.record.earlier] == [SPACE, MORE]


def test_what_happened_is_recorded(lived: Bench) -> None:
    with Store.open(lived.url) as store:
        seen = store.events(lived.record.name)[-1].seq
    said = grow(lived, constraints={"params": "<= 60k"})
    with Store.open(lived.url) as store:
        grown, *stopped = store.events(lived.record.name, seen)
    assert grown.kind == EventKind.GROWN
    assert grown.text.startswith("constraints.params: <= 500k -> <= 60k; ")
    assert said[-1].strip() in grown.text
    assert {event.trial for event in stopped} == {n for n, t in ours(lived).items() if t.reason.startswith("the study")}


def test_a_launch_keeps_what_a_study_was_before(lived: Bench) -> None:
    grow(lived, constraints={"params": "<= 60k"})
    with Store.open(lived.url) as store:
        store.update_config(lived.record.name, lived.record)
        assert record(store, lived.record.name).earlier == lived.record.earlier


def test_the_ends_of_costs_move_outwards_alone(make_bench: MakeBench) -> None:
    stored = replace(make_bench().record, bounds={"macs": (1e4, 1e6)})
    for low, high in ((1e3, 1e5), (1e5, 1e7)):
        grown = grown_record(stored, replace(stored, bounds={"macs": (low, high)}), at=NOON, trials=3)
        assert grown.bounds == {"macs": (min(low, 1e4), max(high, 1e6))}


def test_the_doctor_finds_nothing_wrong_before_and_after_the_next_launch(
    lived: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    grow(lived, **SMALL)
    lived.open()
    lived.close()
    found = examine(lived.url, lived.record.name, fix=False).wrong
    assert {each.kind for each in found} <= {"missing"}  # nothing was trained, so there are no checkpoints
    with lived.optunas() as study:
        optuna.delete_study(study_name=study.study_name, storage=study._storage)
    examine(lived.url, lived.record.name, fix=True)  # writes Optuna's tables anew, of trials of either space
    assert {row.number: row.params for row in theirs(lived)} == {n: dict(t.params) for n, t in ours(lived).items()}
    with lived.optunas() as study:
        front = front_trials(lived.record, list(ours(lived).values()))
        assert {trial.number for trial in study.best_trials} == {trial.number for trial in front}


# Who may


def test_nothing_changes_unless_asked_for(lived: Bench) -> None:
    before, config = ours(lived), lived.config
    said: list[str] = []
    with Store.open(lived.url) as store:
        growing = Growing.of(store, parse({**config.plain(), **SMALL}))
        assert growing is not None
        with pytest.raises(InputError, match=r"--grow goes on with these") as refused:
            growing.settle(lived.record, grow=False, say=said.append, bring=lambda _record: None)
    assert "\n" not in str(refused.value)
    assert said[0] == "bench would change:"
    assert "  constraints.params: <= 500k -> <= 60k" in said
    assert ours(lived) == before


def test_a_dry_run_tells_it_and_writes_nothing(lived: Bench) -> None:
    lived.close()
    before = ours(lived)
    config = parse({**lived.config.plain(), **SMALL, "storage": lived.url})
    assert foretold(config)[0] == "bench would change:"
    assert foretold(parse({**lived.config.plain(), "storage": lived.url})) == []
    assert foretold(parse({**config.plain(), "storage": lived.url, "study": "other"})) == []
    assert foretold(parse({**config.plain(), "storage": "sqlite:///nowhere.db"})) == []
    assert ours(lived) == before


def test_a_file_that_nobody_allowed_to_change_begins_nothing(make_bench: MakeBench) -> None:
    bench = make_bench(budget={"trials": 2})
    live(bench, 2)
    bench.close()
    stand_in: Any = SimpleNamespace(fingerprint="", val_labels=[0], classes=10, image=bench.record.image_spec)
    first, second = (({}, trial.cost) for trial in ours(bench).values())
    seen: Any = SimpleNamespace(ends=lambda _cost: (first, second))
    with Store.open(bench.url) as store, pytest.raises(InputError, match="--grow"):
        begin(store, parse({**bench.config.plain(), **SMALL}), stand_in, seen)


def test_another_launch_at_work_keeps_a_study_as_it_is(lived: Bench) -> None:
    before = ours(lived)
    with (
        Store.open(lived.url) as other,
        other.hold(lived.record.name, shared=other.dialect == "postgresql"),
        pytest.raises(StudyError, match="another launch"),
    ):
        grow(lived, **SMALL)
    assert ours(lived) == before


def test_words_do_not_become_numbers(make_bench: MakeBench) -> None:
    space = {"block": {"choice": ["resnext"]}, "base_width": {"choice": ["preserved", 4]}, "depth": {"int": [1, 4]}}
    bench = make_bench(space=space, budget={"trials": 4})
    live(bench, 4)
    with pytest.raises(InputError, match=r"^space\.base_width: trials have chosen preserved, which is no number"):
        grow(bench, space={**space, "base_width": {"int": [2, 8]}})


# Whatever dies


def dump(url: str) -> list[str]:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        return list(connection.iterdump())


@contextmanager
def failing(statement: int) -> Iterator[list[str]]:
    """Let a statement of the change fail, by its place, and give those that were executed."""
    seen: list[str] = []

    def count(_connection: Any, _cursor: Any, text: str, *_rest: Any) -> None:
        if seen and seen[-1].startswith("INSERT INTO nas_event"):  # the last of them
            return
        if text.startswith("UPDATE nas_study") or seen:
            seen.append(text)
        if len(seen) == statement + 1:
            raise sqlite3.OperationalError("disk I/O error")

    sa.event.listen(sa.engine.Engine, "before_cursor_execute", count)
    try:
        yield seen
    finally:
        sa.event.remove(sa.engine.Engine, "before_cursor_execute", count)


def test_whichever_statement_fails_the_study_is_the_old_one(make_bench: MakeBench) -> None:
    bench = make_bench(budget={"trials": 6})
    live(bench, 6)
    bench.close()
    config, stored, before = bench.config, bench.record, dump(bench.url)
    places = 0
    for statement in range(40):
        bench.config, bench.record = config, stored
        try:
            with failing(statement) as executed:
                grow(bench, **SMALL)
        except (WidefrontError, sqlite3.OperationalError):
            assert dump(bench.url) == before
            places += 1
        else:
            break
    assert places == len(executed) >= 9
    assert dump(bench.url) != before


KILLED = """
import os, signal, sys
import sqlalchemy as sa
from tests.search.driver import test_growing as here
from search.config.study import parse
from search.driver.growing import Growing
from search.storage.store import Store
from tests.search.bench import FILE, record_of

url, words = sys.argv[1:]
def end(_connection, _cursor, text, *_rest):
    if text.startswith(words):
        os.kill(os.getpid(), signal.SIGKILL)
config = parse({**FILE, "budget": {"trials": 6}, **here.SMALL})
with Store.open(url) as store:
    sa.event.listen(sa.engine.Engine, "after_cursor_execute", end)
    Growing.of(store, config).settle(record_of(config), grow=True, say=print, bring=lambda _record: None)
"""


@pytest.mark.parametrize(
    "words",
    [
        "UPDATE nas_study",
        pytest.param("DELETE FROM trial_params", marks=pytest.mark.very_slow),
        "INSERT INTO nas_event",
    ],
)
def test_killed_in_the_midst_of_it_the_study_is_the_old_one_and_can_grow_again(
    make_bench: MakeBench, words: str
) -> None:
    bench = make_bench(budget={"trials": 6})
    live(bench, 6)
    bench.close()
    before, trials = dump(bench.url), ours(bench)
    command = [sys.executable, "-c", KILLED, bench.url, words]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[3], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == -9, done.stderr
    assert dump(bench.url) == before
    grow(bench, **SMALL)
    assert {n: kept(t) for n, t in ours(bench).items()} == {n: kept(t) for n, t in trials.items()}


# Weights


def test_who_comes_to_the_front_without_weights_has_a_note(make_bench: MakeBench, tmp_path: Path) -> None:
    bench = make_bench(budget={"trials": 6})
    live(bench, 6)
    folder = LocalFolder(tmp_path / "weights")
    folder.make()
    before = front_trials(bench.record, list(ours(bench).values()))
    for trial in before:
        folder.write(newest(trial.number), b"weights")
    note_weights(bench.record, list(ours(bench).values()), folder)
    assert {name for name in folder.sizes() if name.endswith("limit")} == set()
    best = max(before, key=lambda trial: trial.cost.macs)
    trials = [replace(t, outside="the space lacks it") if t.number == best.number else t for t in ours(bench).values()]
    note_weights(bench.record, trials, folder)
    new = {trial.number for trial in front_trials(bench.record, trials)} - {trial.number for trial in before}
    assert {name for name in folder.sizes() if name.endswith("limit")} == {over_limit(number) for number in new}


def test_a_launch_refuses_a_changed_file_before_ray_starts(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_bench(budget={"trials": 2})
    live(bench, 2)
    bench.close()
    monkeypatch.setattr("search.driver.driver.check_study", lambda *_: None)  # whose images were never read
    config = parse({**bench.config.plain(), "constraints": {"params": "<= 60k"}, "storage": bench.url})
    screen = io.StringIO()
    with pytest.raises(InputError, match="--grow"):
        run(config, Console(file=screen, width=200), address=None, verbose=False, started_at=NOON)
    assert "constraints.params: <= 500k -> <= 60k" in screen.getvalue()
