"""Running trials keep their checkpoints, the front keeps as many as its limit allows, and all of it is counted."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from search.config.study import StudyConfig, parse
from search.core.fronts import front_trials
from search.core.records import State, StudyRecord, TrialRecord
from search.study.checkpoints import checkpoint_folder, make_folder
from search.study.retention import LOOK_S, Checkpoints, judge
from search.study.running import RunningStudy
from spaces.errors import InputError
from tests.search.bench import FILE, Bench, learn
from workers.places import LocalFolder, RemoteFolder, open_folder

MakeTrial = Callable[..., TrialRecord]
MakeStudy = Callable[..., StudyRecord]
FULL = tuple(0.1 * epoch for epoch in range(1, 9))


def config_of(**sections: object) -> StudyConfig:
    return parse({**FILE, **sections})


# What stays


@pytest.fixture
def front(make_trial: MakeTrial) -> dict[int, TrialRecord]:
    """Give six complete trials on one front; 2 and 3 are the most crowded, 3 more than 2."""
    macs = (100, 200, 300, 320, 360, 500)
    accuracies = (0.5, 0.6, 0.70, 0.71, 0.74, 0.9)
    trials = {}
    for number, (cost, accuracy) in enumerate(zip(macs, accuracies, strict=True)):
        trial = make_trial(number, accuracies=(*FULL, accuracy), state=State.COMPLETE)
        trials[number] = replace(trial, cost=replace(trial.cost, macs=cost))
    return trials


def weights(*numbers: int, size: int = 10) -> dict[str, int]:
    return {f"{number}.pt": size for number in numbers}


def test_without_a_limit_the_whole_front_stays(front: dict[int, TrialRecord], make_study: MakeStudy) -> None:
    found = judge(make_study(), front, weights(*front), math.inf)
    assert (found.needless, found.over_limit, found.left_bytes) == (set(), [], 60)


@pytest.mark.parametrize(
    ("limit", "over"),
    [(60, []), (59, [3]), (50, [3]), (40, [3, 2]), (20, [3, 2, 1, 4]), (10, [3, 2, 1, 4, 0]), (0, [3, 2, 1, 4, 0, 5])],
)
def test_the_ends_of_the_front_and_the_least_crowded_stay_longest(
    front: dict[int, TrialRecord], make_study: MakeStudy, limit: float, over: list[int]
) -> None:
    found = judge(make_study(), front, weights(*front), limit)
    assert sorted(found.over_limit) == sorted(over)
    assert list(found.over_limit[:2]) == over[:2]  # the most crowded first
    assert found.left_bytes == 60 - 10 * len(over)
    assert found.left_bytes <= limit


def test_a_small_one_stays_where_a_large_one_does_not_fit(front: dict[int, TrialRecord], make_study: MakeStudy) -> None:
    sizes = weights(*front) | {"4.pt": 1000}
    assert judge(make_study(), front, sizes, 60).over_limit == [4]


def test_running_trials_keep_all_they_have_whatever_the_limit(
    front: dict[int, TrialRecord], make_study: MakeStudy, make_trial: MakeTrial
) -> None:
    trials = {**front, 6: make_trial(6, accuracies=FULL[:2])}
    sizes = weights(*front, 6) | {"6.before.pt": 10, ".6.pt.here.12": 5}
    found = judge(make_study(), trials, sizes, 45)
    assert found.needless == set()
    assert len(found.over_limit) == 4
    assert found.left_bytes == 45
    found = judge(make_study(), trials, sizes, 1)
    assert set(found.over_limit) == set(front)
    assert found.left_bytes == 25


def test_half_of_the_limit_is_the_fronts_whatever_running_trials_take(
    front: dict[int, TrialRecord], make_study: MakeStudy, make_trial: MakeTrial
) -> None:
    trials = {**front, 6: make_trial(6, accuracies=FULL[:2])}
    found = judge(make_study(), trials, weights(*front) | {"6.pt": 1000}, 40)
    assert set(front) - set(found.over_limit) == {0, 5}
    assert found.left_bytes == 1020


@pytest.mark.parametrize("state", [State.STOPPED, State.FAILED, State.COMPLETE])
def test_who_has_ended_beside_the_front_keeps_nothing(
    state: State, front: dict[int, TrialRecord], make_study: MakeStudy, make_trial: MakeTrial
) -> None:
    trials = {**front, 6: make_trial(6, accuracies=(*FULL, 0.01), state=state)}
    mine = {"6.pt": 1, "6.before.pt": 1, ".6.pt.here.12": 1, "6.over-limit": 0}
    found = judge(make_study(), trials, weights(*front) | mine, 60)
    assert (found.needless, found.over_limit, found.left_bytes) == (mine.keys(), [], 60)


def test_who_is_outside_keeps_its_weights_as_long_as_the_front_without_it_would(
    front: dict[int, TrialRecord], make_study: MakeStudy
) -> None:
    last = max(front)
    trials = {**front, last: replace(front[last], outside="oversteps params by 5%")}
    dominated = {
        9: replace(front[last], number=9, cost=replace(front[last].cost, macs=10**9), outside="oversteps macs")
    }
    found = judge(make_study(), trials | dominated, weights(*trials, 9), math.inf)
    assert found.needless == {"9.pt"}


def test_of_who_has_ended_on_the_front_only_the_newest_stays(
    front: dict[int, TrialRecord], make_study: MakeStudy
) -> None:
    sizes = weights(0, 2) | {"0.before.pt": 1, ".0.pt.x": 1, "1.before.pt": 1, "2.over-limit": 0, "3.over-limit": 0}
    found = judge(make_study(), front, sizes, math.inf)
    assert found.needless == {"0.before.pt", ".0.pt.x", "2.over-limit"}  # of 1 the one before is all there is


def test_what_is_not_of_this_studys_trials_stays_and_counts(
    front: dict[int, TrialRecord], make_study: MakeStudy
) -> None:
    others = {"77.pt": 10, "notes.txt": 10, "3.pt.broken": 10, "x.before.pt": 10, "1.pt.gz": 0, "-1.pt": 0}
    found = judge(make_study(), front, weights(*front) | others, 90)
    assert (found.needless, found.over_limit, found.left_bytes) == (set(), [3], 90)


def test_a_study_of_three_objectives_keeps_its_ends(make_study: MakeStudy, make_trial: MakeTrial) -> None:
    study = make_study(objectives=("accuracy", "macs", "params"))
    trials = {}
    for number in range(9):
        trial = make_trial(number, accuracies=(*FULL, 0.5 + 0.01 * number), state=State.COMPLETE)
        cost = replace(trial.cost, macs=100 + number, params=1000 - (number - 4) ** 2)
        trials[number] = replace(trial, cost=cost)
    over = judge(study, trials, weights(*trials), 30).over_limit
    assert len(over) == 6
    assert {0, 8}.isdisjoint(over)


# Retention


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Give an empty folder."""
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


class Ticks:
    """Tell the seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def shelf(folder: Path, limit: float = math.inf) -> Checkpoints:
    return Checkpoints(folder=LocalFolder(folder), limit_bytes=limit, clock=Ticks())


def write(folder: Path, numbers: range) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (folder / f"{number}.pt").write_bytes(b"weights")
        (folder / f"{number}.before.pt").write_bytes(b"weight")
        (folder / f".{number}.pt.here.12").write_bytes(b"we")


def left(folder: Path) -> set[int]:
    return {int(path.stem) for path in folder.glob("*.pt") if path.stem.isdigit()}


def train(bench: Bench, running: RunningStudy, count: int) -> None:
    for _ in range(count):
        trial = running.hand_out()
        assert isinstance(trial, TrialRecord)
        bench.train(running, trial)


def best(running: RunningStudy) -> set[int]:
    return {trial.number for trial in front_trials(running.record, list(running.trials.values()))}


def test_checkpoints_of_the_front_and_of_running_trials_stay(bench: Bench, runs: Path) -> None:
    running = bench.open()
    train(bench, running, 7)
    running.hand_out()
    write(runs, range(9))  # one more than there are trials: somebody else's
    held = shelf(runs)
    assert held.shown == "checkpoints –"  # noqa: RUF001  # an en dash: nobody has looked
    assert held.tidy(running) == []
    assert 0 < len(best(running)) < 7
    assert left(runs) == best(running) | {7, 8}
    others = {file.name for file in runs.iterdir() if file.name not in {f"{number}.pt" for number in range(9)}}
    assert others == {"7.before.pt", ".7.pt.here.12", "8.before.pt", ".8.pt.here.12"}
    assert held.used_bytes == 7 * len(best(running)) + 2 * 15 == sum(map(_size, runs.iterdir()))
    assert held.shown == f"checkpoints {held.used_bytes} B"


def _size(path: Path) -> int:
    return path.stat().st_size


def test_a_network_that_is_no_longer_on_the_front_loses_its_checkpoint(bench: Bench, runs: Path) -> None:
    running = bench.open()
    first, second = running.hand_out(), running.hand_out()
    assert isinstance(first, TrialRecord)
    assert isinstance(second, TrialRecord)
    small, large = sorted((first, second), key=lambda trial: trial.cost.macs)
    write(runs, range(2))
    held = shelf(runs)
    bench.learn = lambda trial, epoch: learn(trial, epoch).showing(accuracy=0.5)
    bench.train(running, large)
    held.tidy(running)
    assert left(runs) == {0, 1}
    bench.learn = lambda trial, epoch: learn(trial, epoch).showing(accuracy=0.6)
    bench.train(running, small)
    held.tidy(running)
    assert left(runs) == {small.number}


def test_a_later_launch_tidies_what_the_one_before_left(bench: Bench, runs: Path) -> None:
    running = bench.open()
    bench.train_all(running)
    write(runs, range(8))
    again = bench.open()
    shelf(runs).tidy(again)
    assert left(runs) == best(again)


def test_tidying_where_there_are_no_checkpoints_is_no_error(bench: Bench, runs: Path) -> None:
    running = bench.open()
    bench.train_all(running)
    held = shelf(runs / "nowhere")
    assert held.tidy(running) == []
    assert held.used_bytes == 0
    assert not (runs / "nowhere").exists()


def test_a_limit_is_kept_to_and_said_once(bench: Bench, runs: Path) -> None:
    running = bench.open()
    train(bench, running, 4)
    write(runs, range(4))
    held = shelf(runs, limit=7 * len(best(running)) - 1)  # one too many
    (line,) = held.tidy(running)
    (gone,) = held.over_limit
    assert gone in best(running)
    assert line == (
        f"checkpoints have reached their limit of {7 * len(best(running)) - 1} B (checkpoints.limit): from now on the "
        f"most crowded of the front lose their weights, trial {gone} first; their measurements stay"
    )
    assert held.used_bytes == sum(map(_size, runs.iterdir())) <= held.limit_bytes
    assert (runs / f"{gone}.over-limit").read_bytes() == b""
    train(bench, running, 4)
    write(runs, range(4, 8))
    held.limit_bytes = 7
    assert held.tidy(running) == []
    assert len(left(runs)) == 1
    assert left(runs) | held.over_limit == best(running)
    again = shelf(runs)
    again.look()
    assert (again.used_bytes, again.over_limit) == (7, held.over_limit)


def test_running_trials_above_the_limit_are_said_and_kept(bench: Bench, runs: Path) -> None:
    running = bench.open()
    running.hand_out()
    write(runs, range(1))
    (line,) = shelf(runs, limit=10).tidy(running)
    assert line == (
        "checkpoints take 15 B, more than their limit of 10 B (checkpoints.limit): running trials keep theirs, "
        "and half of the limit is the front's"
    )
    assert len(list(runs.iterdir())) == 3


def test_a_trial_that_left_the_front_leaves_no_mark_of_its_weights(bench: Bench, runs: Path) -> None:
    running = bench.open()
    first, second = running.hand_out(), running.hand_out()
    assert isinstance(first, TrialRecord)
    assert isinstance(second, TrialRecord)
    small, large = sorted((first, second), key=lambda trial: trial.cost.macs)
    (runs / f"{large.number}.over-limit").touch()
    bench.learn = lambda trial, epoch: learn(trial, epoch).showing(accuracy=0.5)
    bench.train(running, large)
    held = shelf(runs)
    held.tidy(running)
    assert held.over_limit == {large.number}
    bench.train(running, small)
    held.tidy(running)
    assert held.over_limit == set()
    assert list(runs.iterdir()) == []


def test_looking_is_seldom_where_nobody_has_ended(bench: Bench, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []
    sizes = LocalFolder.sizes
    ticks = Ticks()

    def slow(self: LocalFolder) -> Mapping[str, int]:
        looks.append(ticks.now)
        ticks.now += 2.0
        return sizes(self)

    monkeypatch.setattr(LocalFolder, "sizes", slow)
    running = bench.open()
    held = Checkpoints(folder=LocalFolder(runs), clock=ticks)
    for _ in range(100):
        held.tidy(running)
        ticks.now += 1.0
    assert looks == [1000.0, 1030.0, 1060.0, 1090.0]
    assert LOOK_S == 30.0
    looks.clear()
    for _ in range(7):  # somebody ends every second: a tenth of the time goes into looking
        train(bench, running, 1)
        held.tidy(running)
        ticks.now += 1.0
    assert len(looks) == 1
    train(bench, running, 1)
    assert running.over
    held.tidy(running)
    assert len(looks) == 2  # at the end nothing waits


def test_a_folder_that_cannot_be_reached_ends_no_study_and_is_said_once(
    bench: Bench, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = bench.open()
    write(runs, range(8))
    held = shelf(runs)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", _refuse)
        train(bench, running, 6)
        assert held.tidy(running) == ["checkpoints cannot be tidied now: read-only"]
        train(bench, running, 1)
        assert held.tidy(running) == []
    assert left(runs) == set(range(8))
    train(bench, running, 1)
    assert held.tidy(running) == []
    assert left(runs) == best(running)


def _refuse(*_given: object, **_options: object) -> None:
    raise OSError("read-only")


def test_a_folder_behind_a_url_is_tidied_too(bench: Bench, runs: Path) -> None:
    MemoryFileSystem.store.clear()
    folder = open_folder(f"memory://{runs.parent.name}")
    running = bench.open()
    bench.train_all(running)
    for number in range(8):
        for name in (f"{number}.pt", f"{number}.before.pt", f".{number}.pt.here.12"):
            folder.write(name, b"weights")
    held = Checkpoints(folder=folder, limit_bytes=7 * len(best(running)) - 1)
    assert len(held.tidy(running)) == 1
    (gone,) = held.over_limit
    kept = {f"{number}.pt" for number in best(running) - {gone}}
    assert folder.sizes() == dict.fromkeys(kept, 7) | {f"{gone}.over-limit": 0}


# The folder


def test_the_folder_of_checkpoints_is_absolute_and_the_studys_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_study: MakeStudy
) -> None:
    monkeypatch.chdir(tmp_path)
    record = make_study("small", created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    name = "small-20260102T030405"
    assert checkpoint_folder(config_of(), record) == LocalFolder(tmp_path / "runs" / name)
    for given in ("/shared/here", "/shared/here/", "file:///shared/here", {"folder": "/shared/here", "limit": "1G"}):
        assert checkpoint_folder(config_of(checkpoints=given), record) == LocalFolder(Path("/shared/here") / name)
    there = checkpoint_folder(config_of(checkpoints="memory://here/"), record)
    assert isinstance(there, RemoteFolder)
    assert (str(there), there.root) == (f"memory://here/{name}", f"/here/{name}")


def test_a_studys_file_says_where_they_lie_and_what_they_may_take(make_study: MakeStudy) -> None:
    held = Checkpoints.of(config_of(checkpoints={"folder": "/shared", "limit": "500M"}), make_study())
    assert (held.folder.sizes(), held.limit_bytes) == ({}, 5e8)
    held.used_bytes = 12_345_678
    assert held.shown == "checkpoints 12.3 MB of 500 MB"
    assert Checkpoints.of(config_of(checkpoints={"limit": "none"}), make_study()).limit_bytes == math.inf


def test_a_folder_that_cannot_be_made_is_said_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=rf"^checkpoints: cannot make {tmp_path}/file/x: Not a directory$"):
        make_folder(LocalFolder(tmp_path / "file" / "x"))
    make_folder(LocalFolder(tmp_path / "a" / "b"))
    assert (tmp_path / "a" / "b").is_dir()
    assert list((tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("memory://here", "memory:// is of one process, and trials train in others"),
        ("data://here", "data://here: ValueError: Read only filesystem"),
    ],
)
def test_a_folder_that_workers_cannot_write_to_is_refused_before_anything_starts(address: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        make_folder(open_folder(address))
    assert str(refused.value) == f"checkpoints: {said}"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("nosuch://x", r"nosuch://x/front-\S+: Protocol not known: nosuch"),
        ("memory://x", r"memory://x/front-\S+: RuntimeError: nobody there"),
    ],
)
def test_a_driver_that_is_not_there_is_said_with_its_place(
    address: str, said: str, make_study: MakeStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_url: str) -> None:
        raise RuntimeError("nobody there")

    if address.startswith("memory"):
        monkeypatch.setattr("fsspec.core.url_to_fs", fail)
    with pytest.raises(InputError, match=f"^checkpoints: {said}$"):
        checkpoint_folder(config_of(checkpoints=address), make_study("front", created_at=datetime.now(UTC)))
