"""A study begins, goes on, refuses a file that is not its own, and tidies behind itself."""

import io
import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from search.config.study import StudyConfig, parse
from search.core.fronts import front_trials
from search.core.records import State, StudyRecord
from search.driver.driver import begin, open_running, plan_of, run
from search.driver.inspection import look
from search.driver.survey import Survey
from search.schedulers.rungs import Asha
from search.storage import asking
from search.storage.store import Store
from search.study.checkpoints import checkpoint_folder
from search.study.running import RunningStudy
from search.tune import preflight
from search.tune import run as cluster
from search.tune.nodes import Need, Node, Room
from search.tune.preflight import Preflight
from search.tune.searcher import StudySearcher
from spaces.architecture import ImageSpec
from spaces.counting import cost
from spaces.errors import InputError, StudyError
from tests import factories
from tests.search.bench import Bench, learn
from workers.datasets import Dataset
from workers.places import LocalFolder
from workers.trainer import TrialSpec

SECRET = "s3cr3t"
SMALL: dict[str, Any] = {
    "study": "small",
    "data": {"name": "digits", "limit": 60},
    "space": {
        "block": {"choice": ["basic", "preact"]},
        "depth": {"int": [1, 2]},
        "widening_factor": {"choice": [0.25, 0.5]},
    },
    "constraints": {"params": "<= 30k"},
    "scheduler": {"name": "pareto-asha", "max_epochs": 9},
    "budget": {"trials": 4},
    "storage": f"postgresql+psycopg://me:{SECRET}@example.org/db",
}
DIGITS = ImageSpec(channels=1, height=8, width=8, classes=10)


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    """Give an empty store; that the databases do not differ is tested with the store."""
    with Store.open(sqlite_url) as opened:
        yield opened


def config_of(**sections: Any) -> StudyConfig:
    return parse({**SMALL, **sections})


@pytest.fixture(scope="module")
def looked() -> tuple[Dataset, Survey]:
    """Give the data and the survey of the small file."""
    return look(config_of())


# What is looked at before anything starts


def test_data_and_space_are_looked_at(looked: tuple[Dataset, Survey]) -> None:
    data, seen = looked
    assert (data.image, len(data.train_labels)) == (DIGITS, 60)
    assert (seen.size, seen.whole) == (8, True)


@pytest.mark.parametrize(
    ("sections", "place"),
    [
        ({"sampler": "tpee"}, "sampler.name"),
        ({"scheduler": {"name": "hyperband"}}, "scheduler.name"),
        ({"data": {"npz": "nowhere.npz"}}, "data"),
        ({"data": {"name": "digits", "limit": 5}}, "data"),
        ({"constraints": {"params": "<= 10"}}, "constraints.params"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(sections: dict[str, Any], place: str) -> None:
    with pytest.raises(InputError) as caught:
        look(config_of(**sections))
    assert caught.value.place.startswith(place)
    assert "\n" not in str(caught.value)


# Rungs


@pytest.mark.parametrize(
    ("scheduler", "classes", "levels", "keep", "floor"),
    [
        ({"name": "pareto-asha", "max_epochs": 9}, 10, (1, 3), 0.5, 0.1 + 0.02 * 0.9),
        ({"name": "asha", "max_epochs": 9, "reduction_factor": 2}, 2, (1, 2, 4, 8), 0.5, 0.5 + 0.02 * 0.5),
        ({"name": "asha", "max_epochs": 27, "grace_epochs": 2}, 4, (2, 6, 18), 1 / 3, 0.25 + 0.02 * 0.75),
        ({"name": "asha", "max_epochs": 9, "floor": 0, "keep": 0.25}, 10, (1, 3), 0.25, 0.1),
        ({"name": "asha", "max_epochs": 9, "floor": 0.5}, 10, (1, 3), 1 / 3, 0.55),
    ],
)
def test_rungs_are_those_the_file_asks_for(
    scheduler: dict[str, Any], classes: int, levels: tuple[int, ...], keep: float, floor: float
) -> None:
    plan = plan_of(config_of(scheduler=scheduler), classes)
    made = plan.make(factories.study(max_epochs=scheduler["max_epochs"]))
    assert isinstance(made, Asha)
    assert (plan.name, made.levels) == (scheduler["name"], levels)
    assert made.keep == pytest.approx(keep)
    assert made.floor == pytest.approx(floor)


# Begun, and gone on with


def test_a_new_study_is_recorded_whole(store: Store, looked: tuple[Dataset, Survey]) -> None:
    data, seen = looked
    record = begin(store, config_of(), data, seen)
    assert store.study("small") == record
    assert (record.objectives, record.max_epochs, record.rungs) == (("accuracy", "macs"), 9, (1, 3))
    assert (record.classes, record.image) == (10, (1, 8, 8))
    assert record.space == SMALL["space"]
    found = {"fingerprint": data.fingerprint, "validation_images": len(data.val_labels)}
    assert record.config == {**config_of().plain(), **found}


def test_the_bounds_are_those_of_the_networks_that_are_allowed(store: Store, looked: tuple[Dataset, Survey]) -> None:
    space = config_of().search_space
    costs = [cost(space.architecture(params), DIGITS) for params in space.members()]
    allowed = [each.macs for each in costs if each.params <= 30_000]
    assert 0 < len(allowed) < len(costs)
    assert begin(store, config_of(), *looked).bounds == {"macs": (min(allowed), max(allowed))}


def test_a_study_of_fifo_has_no_rungs(store: Store, looked: tuple[Dataset, Survey]) -> None:
    assert begin(store, config_of(scheduler={"name": "fifo", "max_epochs": 9}), *looked).rungs == ()


def test_no_address_and_no_password_is_stored(store: Store, looked: tuple[Dataset, Survey]) -> None:
    begin(store, config_of(), *looked)
    record = store.study("small")
    assert record is not None
    stored = json.dumps([dict(record.config), dict(record.space)])
    assert "storage" not in record.config
    assert not [word for word in (SECRET, "example.org", "postgresql", "://") if word in stored]


def test_the_same_file_goes_on_with_the_study(store: Store, looked: tuple[Dataset, Survey]) -> None:
    first = begin(store, config_of(), *looked)
    again = begin(store, config_of(), *looked)
    assert again == first
    assert store.studies() == [first]


@pytest.mark.parametrize(
    ("section", "value"),
    [
        ("budget", {"trials": 40, "hours": 2.0}),
        ("resources", {"cpus_per_trial": 2}),
        ("sampler", {"name": "nsga2", "seed": 3}),
        ("scheduler", {"name": "asha", "max_epochs": 9, "grace_epochs": 2}),
    ],
)
def test_what_does_not_change_the_trials_may_change(
    store: Store, looked: tuple[Dataset, Survey], section: str, value: dict[str, Any]
) -> None:
    first = begin(store, config_of(), *looked)
    changed = config_of(**{section: value})
    again = begin(store, changed, *looked)
    stored = store.study("small")
    assert stored == again
    assert again.config[section] == changed.plain()[section] != first.config[section]
    assert (again.created_at, again.bounds) == (first.created_at, first.bounds)
    assert again.rungs == changed.scheduler.rungs


def test_a_changed_space_is_refused_with_the_difference(store: Store, looked: tuple[Dataset, Survey]) -> None:
    first = begin(store, config_of(), *looked)
    space = {**SMALL["space"], "depth": {"int": [1, 3]}}
    with pytest.raises(InputError, match=r"space\.depth\.int: \[1, 2\] -> \[1, 3\]") as caught:
        begin(store, config_of(space=space), *looked)
    assert "\n" not in str(caught.value)
    assert "widening_factor" not in str(caught.value)
    assert store.studies() == [first]


@pytest.mark.parametrize(
    ("section", "value"),
    [
        ("objectives", ["accuracy", "params"]),
        ("constraints", {"params": "<= 29k"}),
        ("recipe", {"batch_size": 32}),
        ("scheduler", {"name": "pareto-asha", "max_epochs": 27}),
        ("data", {"name": "digits", "limit": 61}),
    ],
)
def test_whatever_makes_trials_comparable_must_stay(
    store: Store, looked: tuple[Dataset, Survey], section: str, value: Any
) -> None:
    begin(store, config_of(), *looked)
    with pytest.raises(InputError, match=section):
        begin(store, config_of(**{section: value}), *looked)


def test_changed_images_are_refused(store: Store, looked: tuple[Dataset, Survey]) -> None:
    data, seen = looked
    begin(store, config_of(), data, seen)
    images = data.train_images.clone()
    images[0, 0, 0, 0] += 1
    with pytest.raises(InputError, match=r"^data: the images are not those that 'small' was begun with$"):
        begin(store, config_of(), replace(data, train_images=images), seen)


def test_a_study_that_goes_on_does_not_propose_its_beginning_again(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(budget={"trials": 40}, constraints={}, sampler={"name": "random", "seed": 0})
    running = bench.open()
    for _ in range(5):
        running.hand_out()
    again = bench.open()
    for _ in range(10):
        again.hand_out()
    assert len(again.trials) == 10
    assert not [each for each in again.rejections[len(running.rejections) :] if "the same network" in each.reason]


def test_a_refused_study_lets_go_of_its_database(
    store: Store, looked: tuple[Dataset, Survey], monkeypatch: pytest.MonkeyPatch
) -> None:
    record = begin(store, config_of(), *looked)
    closed = []
    monkeypatch.setattr("search.study.recorder.Recorder.close", lambda recorder: closed.append(recorder))
    monkeypatch.setattr("search.study.recorder.Recorder.reconcile", _refuse)
    with pytest.raises(StudyError):
        open_running(store, config_of(), record)
    (recorder,) = closed
    monkeypatch.undo()
    recorder.close()


def _refuse(*_given: Any) -> Any:
    raise StudyError("not ours")


# A whole launch, with a double in Ray's place


@dataclass
class Cluster:
    """Stand in for Ray: train one suggestion after another, and note what was asked for."""

    said: list[str] = field(default_factory=list)
    most: int = 1000  # trials, before somebody interrupts
    asked: dict[str, Any] = field(default_factory=dict)
    suggestions: list[dict[str, Any]] = field(default_factory=list)

    def start(
        self,
        address: str | None,
        *,
        verbose: bool,
        private: Collection[str],  # noqa: ARG002
        packages: Collection[str],  # noqa: ARG002
    ) -> None:
        self.said.append(f"start {address} {verbose}")

    def stop(self) -> None:
        self.said.append("stop")

    def first(self) -> None:
        self.said.append("asked all nodes")

    def later(self) -> None:
        self.asked["later"] = self.asked.get("later", 0) + 1

    def room(self, need: Need, wanted: int | None, *, joined: bool) -> Room:
        self.asked["room"] = (need, wanted, joined)
        return Room(need=need, wanted=wanted, joined=joined, nodes=living)

    def drive(
        self,
        study: RunningStudy,
        searcher: StudySearcher,
        *,
        room: Room,
        watch: object,
        each: Callable[[], None],
        engines: object,
    ) -> None:
        del watch
        assert engines is None, "no GPU's engine is asked for here"
        self.asked["limit"] = room.limit()
        while isinstance(suggested := searcher.suggest("x"), dict):
            if len(self.suggestions) == self.most:
                raise KeyboardInterrupt
            self.suggestions.append(suggested)
            Path(suggested["checkpoint"]).parent.mkdir(parents=True, exist_ok=True)
            Path(suggested["checkpoint"]).touch()
            trial = study.trials[suggested["number"]]
            for epoch in range(suggested["recorded"] + 1, 10):
                if study.measured(trial.number, learn(trial, epoch)).stop:
                    break
            each()


@pytest.fixture
def doubled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cluster:
    """Give a double in Ray's place, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    double = Cluster()
    for name in ("start", "stop", "room", "drive"):
        monkeypatch.setattr(cluster, name, getattr(double, name))
    monkeypatch.setattr(preflight, "living", living)
    monkeypatch.setattr("search.driver.driver.examine", lambda *_given, **_named: None)
    monkeypatch.setattr(Preflight, "first", double.first)
    monkeypatch.setattr(Preflight, "later", double.later)
    return double


def living() -> list[Node]:
    return [Node(id="n", name="a (10.0.0.1)", resources={"CPU": 4})]


def launch(**sections: Any) -> tuple[RunningStudy, str]:
    """Run a study as the command does, and return it and what was said."""
    config = config_of(**{"storage": "sqlite:///study.db", **sections})
    file = io.StringIO()
    console = Console(file=file, width=200)
    running = run(config, console, address="head:6379", verbose=True, started_at=datetime.now(UTC))
    return running, file.getvalue()


def test_a_launch_runs_a_study_to_its_end(doubled: Cluster) -> None:
    running, said = launch(resources={"cpus_per_trial": 2, "concurrent_trials": 3})
    assert running.over
    assert len(running.trials) == 4
    assert doubled.said == ["start head:6379 True", "asked all nodes", "stop"]
    assert doubled.asked == {"room": (Need(gpus=0, cpus=2), 3, True), "limit": 3, "later": 5}
    assert said.splitlines()[0].startswith("small: a new study; ")
    with Store.open("sqlite:///study.db") as store:
        assert {trial.number: trial for trial in store.trials("small")} == running.trials
        (session,) = store.sessions("small")
    assert session.spent.training_s == running.account.spent.training_s > 0
    assert session.spent.startup_s > 0
    assert session.machine is not None
    assert {"device", "torch", "ray", "optuna"} <= session.machine.keys()


def test_a_worker_is_told_its_recipe_its_data_and_its_checkpoint(doubled: Cluster, tmp_path: Path) -> None:
    running, _ = launch(recipe={"batch_size": 16})
    for suggested, trial in zip(doubled.suggestions, running.trials.values(), strict=True):
        spec = TrialSpec.from_json(suggested["spec"])
        assert (spec.recipe.epochs, spec.recipe.batch_size, spec.data.limit) == (9, 16, 60)
        assert (spec.architecture, spec.seed) == (trial.architecture, trial.seed)
        folder = checkpoint_folder(config_of(), running.record)
        assert folder == LocalFolder(tmp_path / "runs" / Path(str(folder)).name)
        assert suggested["checkpoint"] == f"{folder}/{trial.number}.pt"
        assert (suggested["gpus"], suggested["threads"]) == (0, 1)


def test_at_the_end_only_the_fronts_checkpoints_are_left(doubled: Cluster, tmp_path: Path) -> None:
    running, _ = launch()
    assert doubled.said
    front = {trial.number for trial in front_trials(running.record, list(running.trials.values()))}
    (folder,) = (tmp_path / "runs").iterdir()
    assert {file.name for file in folder.iterdir()} == {f"{number}.pt" for number in front}


def test_sqlite_on_a_cluster_of_several_nodes_takes_an_explicit_yes(
    doubled: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "living", lambda: [*living(), *living()])
    with pytest.raises(InputError, match=r"^storage: a SQLite file .* 2 nodes .* --sqlite-on-driver"):
        launch()
    assert doubled.said == ["start head:6379 True", "stop"]
    config = config_of(storage="sqlite:///study.db")
    told = Console(file=io.StringIO())
    asked: dict[str, Any] = {"address": "head:6379", "verbose": False, "started_at": datetime.now(UTC)}
    assert run(config, told, sqlite_on_driver=True, **asked).over


def test_alone_no_node_is_asked_and_sqlite_is_as_good_as_any(doubled: Cluster) -> None:
    config = config_of(storage="sqlite:///study.db")
    told = Console(file=io.StringIO())
    assert run(config, told, address=None, verbose=False, started_at=datetime.now(UTC)).over
    assert doubled.said == ["start None False", "stop"]
    assert doubled.asked["room"] == (Need(gpus=0, cpus=1), None, False)
    assert doubled.asked["limit"] == 4


def test_an_interrupted_launch_stops_ray_and_the_next_goes_on(doubled: Cluster) -> None:
    doubled.most = 2
    with pytest.raises(KeyboardInterrupt):
        launch()
    assert doubled.said == ["start head:6379 True", "asked all nodes", "stop"]
    doubled.most = 1000
    running, said = launch()
    assert said.splitlines()[0].startswith("small: going on from 3 recorded trials; ")
    assert running.over
    assert len(running.trials) == 4
    assert all(trial.state is not State.RUNNING for trial in running.trials.values())


def test_a_study_that_is_over_needs_no_ray(doubled: Cluster) -> None:
    launch()
    doubled.said.clear()
    running, said = launch()
    assert running.over
    assert (doubled.said, said) == ([], "")


def test_what_was_added_to_a_study_that_is_over_counts_as_its_command_runs_again(doubled: Cluster) -> None:
    launch()
    with asking.opened("sqlite:///study.db") as store:
        asking.ask(store, "small", "add", {"trials": 2})
    running, said = launch()
    assert (running.over, len(running.trials)) == (True, 6)
    assert "add 2 trials: the budget is 6 trials now" in said
    doubled.said.clear()
    running, said = launch()
    assert (len(running.trials), said, doubled.said) == (6, "", [])


def test_what_is_refused_of_a_study_that_is_over_is_said(doubled: Cluster) -> None:
    launch()
    with asking.opened("sqlite:///study.db") as store:
        asking.ask(store, "small", "add", {"hours": 2})
    running, said = launch()
    assert running.over
    assert said == "add 2 hours: refused: the budget has no bound on hours, so nothing can be added to it\n"
    assert doubled.said.count("stop") == 1


def test_what_is_wrong_is_said_before_ray_starts(doubled: Cluster, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        launch(sampler="tpee")
    assert doubled.said == []
    assert not (tmp_path / "study.db").exists()


def test_a_launch_lets_go_of_its_database(doubled: Cluster) -> None:
    running, _ = launch()
    assert doubled.said
    pool: Any = running.recorder.storage.engine.pool
    assert pool.checkedin() + pool.checkedout() == 0


def test_the_record_that_a_launch_returns_is_the_stored_one(doubled: Cluster) -> None:
    running, _ = launch()
    assert doubled.said
    with Store.open("sqlite:///study.db") as store:
        assert store.study("small") == running.record
    assert isinstance(running.record, StudyRecord)


def test_a_test_split_that_is_asked_for_is_there_when_the_study_begins(tmp_path: Path) -> None:
    images, labels = np.zeros((90, 1, 8, 8), dtype=np.uint8), np.arange(90) % 3
    np.savez(tmp_path / "three.npz", images=images, labels=labels)
    asked = {"data": {"npz": str(tmp_path / "three.npz")}, "confirm": {"seeds": 3, "test": True}}
    with pytest.raises(InputError, match=r"^data"):
        look(config_of(**asked))
    look(config_of(**{**asked, "data": {**asked["data"], "test": 0.2}}))


@pytest.mark.parametrize("name", ["roc_auc", "top5_accuracy"])
def test_an_objective_that_tells_nothing_of_so_many_classes_is_refused(tmp_path: Path, name: str) -> None:
    generator = np.random.default_rng(0)
    images, labels = generator.integers(0, 255, (90, 1, 8, 8), dtype=np.uint8), np.arange(90) % 3
    np.savez(tmp_path / "three.npz", images=images, labels=labels)
    with pytest.raises(InputError, match=rf"^objectives: {name} tells nothing of 3 classes$"):
        look(config_of(data={"npz": str(tmp_path / "three.npz")}, objectives=[name, "macs"]))


@pytest.mark.parametrize(
    ("recipe", "told"),
    [
        ({"crop": 8}, "recipe.crop: 8 is not below the side of 8x8 images"),
        ({"crop": {"int": [0, 8]}}, "recipe.crop: 8 is not below the side of 8x8 images"),
        ({"cutout": {"choice": [9, 2]}}, "recipe.cutout: 9 is above the side of 8x8 images"),
    ],
)
def test_images_too_small_for_what_is_cut_off_them_are_refused_before_anything_starts(recipe: Any, told: str) -> None:
    with pytest.raises(InputError) as error:
        look(config_of(recipe=recipe))
    assert str(error.value) == told
