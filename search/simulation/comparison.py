"""Simulate studies under several policies and seeds, and put side by side how they grew."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from search.core.budget import Budget
from search.core.records import State
from search.core.terminal import WIDE
from search.core.trajectory import AXES, Trajectory, marks
from search.core.units import format_duration
from search.models.pareto import front, hypervolume
from search.simulation.recordings import Array, Recordings
from search.simulation.simulator import Course, Policy, simulate
from workers.objectives import Objective

WORST = 75  # percentile of an error beyond which a network counts as none


class Yardstick:
    """Tell what share of the true front's hypervolume networks reach."""

    def __init__(self, recordings: Recordings) -> None:
        axes = [_axis(recordings, objective) for objective in recordings.objectives]
        self._points = np.column_stack([points for points, _ in axes])
        self._reference = [end for _, end in axes]
        finite = self._points[np.isfinite(self._points).all(axis=1)]
        self._whole = hypervolume(finite, self._reference)

    def share(self, networks: Sequence[int]) -> float:
        """Return the share that some networks reach, in [0, 1]."""
        reached = hypervolume(self._points[list(networks)], self._reference) if networks else 0.0
        return reached / self._whole if self._whole else 0.0

    def along(self, courses: Sequence[Course]) -> Array:
        """Return the share after each of a study's trials has ended."""
        shares: list[float] = []
        kept: list[int] = []  # the front of those that were trained in full so far
        for course in courses:
            share = shares[-1] if shares else 0.0
            if course.state is State.COMPLETE:
                kept = [*kept, course.network]
                best = front(self._points[kept])
                share = self.share(kept) if best[-1] else share
                kept = [network for network, stays in zip(kept, best, strict=True) if stays]
            shares.append(share)
        return np.array(shares)

    def trajectory(self, policy: str, seed: int, courses: Sequence[Course]) -> Trajectory:
        """Return how a study under a policy grew, from its trials in the order in which they ended."""
        return Trajectory(
            policy=policy,
            seed=seed,
            epochs=np.array([course.spent_epochs for course in courses], dtype=np.int64),
            hours=np.array([course.ended_s for course in courses]) / 3600,
            shares=self.along(courses),
        )


def _axis(recordings: Recordings, objective: Objective) -> tuple[Array, float]:
    """Return an objective's minimised values, infinite where there is none, and the end of its axis."""
    values = recordings.final(objective.name)
    cost = objective.static or not objective.quality
    if cost and np.nanmin(values) > 0:
        values = np.log10(values)
    minimised = values * objective.minimised(1.0)
    end = np.nanmax(minimised) if cost else np.nanpercentile(minimised, WORST)
    return np.where(np.isnan(minimised), np.inf, minimised), float(end)


Run = tuple[Policy, int]  # and a seed


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What studies under each policy found."""

    name: str
    policies: tuple[str, ...]
    objectives: tuple[str, ...]
    workers: int
    seeds: int
    trajectories: tuple[Trajectory, ...]
    courses: Mapping[tuple[str, int], Sequence[Course]]  # by policy and seed

    def of(self, policy: str) -> list[Trajectory]:
        """Return one policy's studies."""
        return [each for each in self.trajectories if each.policy == policy]

    def to_json(self) -> dict[str, Any]:
        """Return everything but the trials as plain values."""
        return {
            "table": self.name,
            "objectives": list(self.objectives),
            "workers": self.workers,
            "seeds": self.seeds,
            "policies": [self._summary(policy) for policy in self.policies],
            "runs": [each.to_json() for each in self.trajectories],
        }

    def _summary(self, policy: str) -> dict[str, Any]:
        found = self.of(policy)
        summary: dict[str, Any] = {"policy": policy}
        for axis in AXES:
            summary[axis] = [
                {"at": mark, **_spread([float(each.at(axis, mark)) for each in found])}
                for mark in marks(self.trajectories, axis)
            ]
        totals = {f"total_{axis}": float(np.mean([each.total(axis) for each in found])) for axis in AXES}
        return summary | totals

    def csv_rows(self) -> Iterator[dict[str, Any]]:
        """Yield every trial of every study in order, as plain values."""
        for (policy, seed), courses in self.courses.items():
            for course in sorted(courses, key=lambda course: course.number):
                yield {
                    "policy": policy, "run": seed, "trial": course.number, **course.params, "training": course.seed,
                    "epochs": course.epochs, "start_s": round(course.began_s, 3), "end_s": round(course.ended_s, 3),
                    "state": str(course.state), "reason": course.reason,
                }  # fmt: skip

    def table(self, axis: str, width: int = WIDE) -> Table:
        """Return a table: how far each policy has come by so many trials, epochs or hours.

        Args:
            axis: trials, epochs or hours.
            width: characters in a line; where they are too few, the earliest places are left out.
        """
        places = marks(self.trajectories, axis)
        tables = [self._table(axis, places[first:]) for first in range(max(len(places), 1))]
        room = Console(width=10 * WIDE)  # a table is not measured as wider than its console
        return next((each for each in tables if room.measure(each).maximum <= width), tables[-1])

    def _table(self, axis: str, places: Sequence[float]) -> Table:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
        table.add_column("policy", overflow="fold")
        for place in places:
            table.add_column(_heading(axis, place), justify="right", no_wrap=True)
        if axis != "trials":
            table.add_column(f"{axis} in all", justify="right", no_wrap=True)
        for policy in self.policies:
            found = self.of(policy)
            cells = [_cell([float(each.at(axis, place)) for each in found]) for place in places]
            total = _amount(axis, float(np.mean([each.total(axis) for each in found])))
            table.add_row(policy, *cells, *([total] if axis != "trials" else []))
        return table


def compare(
    recordings: Recordings,
    policies: Sequence[Policy],
    budget: Budget,
    *,
    workers: int,
    seeds: int,
    jobs: int = 1,
    each: Callable[[], None] = lambda: None,
) -> Comparison:
    """Return what studies under every policy find, with seeds 0, 1 and so on.

    Args:
        recordings: what trainings show.
        policies: to compare.
        budget: of every study.
        workers: of every study.
        seeds: studies under each policy.
        jobs: processes that simulate at the same time.
        each: called when a study is over.
    """
    runs = [(policy, seed) for seed in range(seeds) for policy in policies]
    found: dict[tuple[str, int], Sequence[Course]] = {}
    for (policy, seed), courses in _simulated(recordings, runs, budget, workers, jobs):
        found[policy.name, seed] = courses
        each()
    ordered = {(policy.name, seed): found[policy.name, seed] for policy in policies for seed in range(seeds)}
    yardstick = Yardstick(recordings)
    return Comparison(
        name=recordings.name,
        policies=tuple(policy.name for policy in policies),
        objectives=tuple(objective.name for objective in recordings.objectives),
        workers=workers,
        seeds=seeds,
        trajectories=tuple(yardstick.trajectory(*run, courses) for run, courses in ordered.items()),
        courses=ordered,
    )


def _simulated(
    recordings: Recordings, runs: Sequence[Run], budget: Budget, workers: int, jobs: int
) -> Iterator[tuple[Run, list[Course]]]:
    if min(jobs, len(runs)) == 1:
        for run in runs:
            yield run, _simulate(recordings, run, budget, workers)
        return
    with ProcessPoolExecutor(min(jobs, len(runs)), get_context("spawn"), _take, (recordings, budget, workers)) as pool:
        waiting = {pool.submit(_simulate_here, run): run for run in runs}
        for future in as_completed(waiting):
            yield waiting[future], future.result()


def _simulate(recordings: Recordings, run: Run, budget: Budget, workers: int) -> list[Course]:
    policy, seed = run
    with threadpool_limits(1):  # the matrices are small, and there may be a process for each core
        return simulate(recordings, policy, budget, workers=workers, seed=seed)


_taken: list[tuple[Recordings, Budget, int]] = []  # by a process, once for all of its studies


def _take(*given: Any) -> None:
    _taken.append(given)


def _simulate_here(run: Run) -> list[Course]:
    recordings, budget, workers = _taken[0]
    return _simulate(recordings, run, budget, workers)


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"mean": float(np.mean(values)), "std": float(np.std(values))}


def _cell(values: Sequence[float]) -> str:
    spread = f" ±{np.std(values):.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{spread}"


def _heading(axis: str, mark: float) -> str:
    return f"after {_amount(axis, mark)}" if axis == "hours" else f"{_amount(axis, mark)} {axis}"


def _amount(axis: str, amount: float) -> str:
    return format_duration(amount * 3600) if axis == "hours" else f"{amount:,.0f}"


def dump(comparison: Comparison) -> str:
    """Return a comparison as JSON."""
    return json.dumps(comparison.to_json(), indent=1)
