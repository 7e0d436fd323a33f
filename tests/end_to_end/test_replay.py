"""A simulated study stops the trials that Ray stops, in the same epochs and for the same reasons."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest
import ray
from ray import cloudpickle, tune

from search.core.patience import Patience
from search.core.records import TrialRecord
from search.simulation.curves import form_of
from search.simulation.recordings import Recordings
from search.simulation.simulator import policy, simulate
from search.simulation.tables import recordings_of
from search.tune import run as cluster
from search.tune.nodes import Need
from search.tune.searcher import StudySearcher
from search.tune.watch import Watch
from spaces.architecture import ImageSpec
from spaces.counting import cost
from tests.search.bench import FILE, Bench, learn
from tests.search.conftest import bench, empty_database, make_bench
from workers.measurement import Measurement
from workers.trainer import TrialSpec

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

__all__ = ["bench", "empty_database", "make_bench"]  # fixtures

TRIALS, EPOCHS, SEED = 18, 9, 3
ALONE_S = 6.0  # without a word from a second trial, after which there is none

SPACE: dict[str, Any] = {
    "block": {"choice": ["basic", "preact"]},
    "depth": {"int": [1, 4]},
    "widening_factor": {"choice": [0.25, 0.5, 1, 2]},
}


class Conductor:
    """Replay recorded trainings to workers by a clock of its own: who is next by it hears of its epoch next.

    It waits until every worker trains something, so that how quick Ray is changes nothing.
    """

    def __init__(self, curves: Mapping[str, list[dict[str, float]]], workers: int) -> None:
        self.curves, self.workers = curves, workers
        self.now_s = 0.0
        self.began_s: dict[int, float] = {}
        self.ends_s: dict[int, float] = {}  # of the epochs that are trained now
        self.heard_at = time.monotonic()

    def next(self, number: int, digest: str, epoch: int, recorded: int) -> dict[str, float] | None:
        """Return what a trial's epoch showed, or None while another one's comes first.

        Args:
            number: the trial's.
            digest: its network's.
            epoch: that it trains.
            recorded: epochs that were recorded when its worker took it up.
        """
        told = self.curves[digest][epoch - 1]
        if number not in self.ends_s:
            if epoch == recorded + 1:
                self.began_s[number] = self.now_s - (self.curves[digest][recorded - 1]["seconds"] if recorded else 0.0)
            self.ends_s[number] = self.began_s[number] + told["seconds"]
            self.heard_at = time.monotonic()
        if not self._all_train() or min(self.ends_s, key=lambda each: self.ends_s[each]) != number:
            return None
        self.now_s = self.ends_s.pop(number)
        self.heard_at = time.monotonic()
        return told

    def _all_train(self) -> bool:
        if len(self.began_s) == TRIALS and time.monotonic() - self.heard_at > ALONE_S:
            self.workers = 1
        return len(self.ends_s) == self.workers


class Replayed(tune.Trainable):
    """Stand in for the trainable that trains: report what was recorded of the network."""

    def setup(self, config: dict[str, Any]) -> None:
        """Take up a trial."""
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take up another trial in the same process."""
        self.number, self.epoch = new_config["number"], new_config["recorded"]
        self.recorded = self.epoch
        self.digest = TrialSpec.from_json(new_config["spec"]).architecture.digest
        return True

    def step(self) -> dict[str, Any]:
        """Report an epoch when its time has come."""
        self.epoch += 1
        conductor: Any = ray.get_actor("conductor")
        while (told := ray.get(conductor.next.remote(self.number, self.digest, self.epoch, self.recorded))) is None:
            time.sleep(0.02)
        measurement = Measurement.from_json(cast(dict[str, Any], told))
        return {"epoch": measurement.epoch, "measurement": json.dumps(measurement.to_json())}


@pytest.fixture
def on_ray(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start Ray, with the stand-in in the place of what trains."""
    monkeypatch.setattr(cluster, "NetworkTrainable", Replayed)
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    cluster.start(None, verbose=False)
    yield
    cluster.stop()
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def table(bench: Bench) -> pd.DataFrame:
    """Return what every network of the space shows, whatever its seed; the epochs of no two take equally long."""
    rows = []
    for place, params in enumerate(bench.config.search_space.members()):
        architecture = bench.config.search_space.architecture(params)
        trial = TrialRecord(
            number=place, params=params, architecture=architecture, digest=architecture.digest, seed=0,
            cost=cost(architecture, ImageSpec(channels=1, height=8, width=8, classes=10)),
        )  # fmt: skip
        for epoch in range(1, EPOCHS + 1):
            shown = learn(trial, epoch).flat()
            each_s = 1 + place * 0.377 % 1
            clock = {"seconds": epoch * each_s, "train_s": epoch * each_s - (epoch - 1) * each_s}  # as a table is read
            rows.append({**params, "digest": trial.digest, "macs": trial.cost.macs, **shown, **clock})
    return pd.DataFrame(rows)


def curves(frame: pd.DataFrame) -> dict[str, list[dict[str, float]]]:
    """Return the epochs of each network, by its digest, as a worker reports them."""
    return {str(digest): rows.to_dict("records") for digest, rows in frame.groupby("digest")}  # type: ignore[misc]


def on_a_cluster(bench: Bench, frame: pd.DataFrame, workers: int) -> list[tuple[Any, ...]]:
    """Return what became of each trial of a study that Ray drove."""
    conductor: Any = ray.remote(num_cpus=0)(Conductor)  # type: ignore[call-overload]  # Ray's
    kept = conductor.options(name="conductor").remote(curves(frame), workers)
    running = bench.open()
    room = cluster.room(Need(gpus=0, cpus=1), workers, joined=False)
    worker = {"checkpoints": "nowhere", "gpus": 0, "threads": 1}
    watch = Watch(running, Patience())  # workers that only replay give no signs, and are waited for
    searcher = StudySearcher(running, bench.config.full_recipe, bench.config.data_spec, worker, room.limit, watch.begin)
    cluster.drive(running, searcher, room=room, watch=watch, each=lambda: None)
    del kept
    return [_end(trial.params, trial.epochs, trial.state, trial.reason) for _, trial in sorted(running.trials.items())]


def by_the_clock(bench: Bench, frame: pd.DataFrame, workers: int) -> list[tuple[Any, ...]]:
    """Return what became of each trial of a simulated study."""
    form = form_of(bench.record, ())
    recordings: Recordings = recordings_of("table", frame, form)
    how = policy(form, recordings, form.sampler.name, form.scheduler.name)
    courses = simulate(recordings, how, bench.open().account.budget, workers=workers, seed=SEED)
    ordered = sorted(courses, key=lambda course: course.number)
    return [_end(each.params, each.epochs, each.state, each.reason) for each in ordered]


def _end(params: Mapping[str, Any], epochs: int, state: str, reason: str) -> tuple[Any, ...]:
    return (dict(params), epochs, str(state), reason)


@pytest.mark.usefixtures("on_ray")
@pytest.mark.parametrize(
    ("scheduler", "workers"),
    [
        ("gain", 1),
        ("pareto-asha", 2),
        *(pytest.param(*more, marks=pytest.mark.very_slow) for more in (("asha", 1), ("pareto-asha", 1), ("asha", 2))),
    ],
)
def test_a_simulated_study_ends_as_on_a_cluster(
    scheduler: str, workers: int, make_bench: Callable[..., Bench], tmp_path: Path
) -> None:
    bench = make_bench(
        space=SPACE,
        constraints={},
        sampler={"name": "random", "seed": SEED},
        scheduler={**FILE["scheduler"], "name": scheduler, "max_epochs": EPOCHS},
        budget={"trials": TRIALS},
        checkpoints=str(tmp_path),
    )
    frame = table(bench)
    assert frame["digest"].nunique() == 32
    real = on_a_cluster(bench, frame, workers)
    assert real == by_the_clock(bench, frame, workers)
    assert len(real) == TRIALS
    assert {state for _, _, state, _ in real} == {"complete", "stopped"}
    assert {epochs for _, epochs, state, _ in real if state == "stopped"} == {1, 3}
    assert workers == 1 or real != by_the_clock(bench, frame, 1)  # who comes first to a rung matters
