"""Put a study into plain values as the page's script reads them.

A trial is a list, whose places `FIELDS` names, since names would take most of the bytes.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from dashboards.frames import HEADLINE
from dashboards.live.shown import Shown
from dashboards.live.watched import OUTSIDE, Watched
from dashboards.live.words import sentence
from search.core.columns import COUNTED
from search.core.environment import hide
from search.core.fronts import front_hypervolume
from search.core.labels import name_of
from search.core.pace import left_s
from search.core.picking import described
from search.core.records import Event, Session, StudyRecord, TrialRecord
from search.storage.living import is_alive
from workers.objectives import Objective

Plain = dict[str, Any]

FIELDS = ("number", "name", "where", "epochs", "values", "curve", "params", "seconds", "ended", "kind", "seeds", "ends")
CURVE = 10_000  # steps in which a curve's accuracies are told, from 0 to 1
ALWAYS = ("macs", "params")  # costs that are shown whatever the objectives are
SHOWN = 60  # events that a page begins with
MOST_WORKERS = 64


def axes(study: StudyRecord) -> list[str]:
    """Return the objectives and costs whose values a row has, in order."""
    return list(dict.fromkeys((*study.objectives, HEADLINE.name, *ALWAYS)))


def about(watched: Shown) -> Plain:
    """Return what a page has to know of a study once."""
    study = watched.study
    return {
        "name": study.name,
        "label": watched.label,
        "planes": watched.planes,
        "objectives": study.objectives,
        "axes": [_axis(study.objective(name), study.validation_images) for name in axes(study)],
        "fields": FIELDS,
        "curve": {"name": HEADLINE.name, "title": HEADLINE.title, "steps": CURVE},
        "epochs": study.max_epochs,
        "rungs": study.rungs,
        "parameters": watched.parameters,
        "constraints": _constraints(study),
        "data": _data(study),
    }


def _axis(objective: Objective, images: int | None) -> Plain:
    return {
        "name": objective.name, "title": objective.title, "unit": objective.unit, "rate": objective.is_rate,
        "quality": objective.quality, "static": objective.static, "least": objective.direction == "minimize",
        "images": images if objective.name in COUNTED else None,
    }  # fmt: skip


def _constraints(study: StudyRecord) -> dict[str, str]:
    told = study.config.get("constraints")
    return {str(name): str(bound) for name, bound in told.items()} if isinstance(told, Mapping) else {}


def _data(study: StudyRecord) -> str:
    data = study.config.get("data", "")
    if isinstance(data, Mapping):
        return ", ".join(f"{name} {value}" if name != "name" else str(value) for name, value in data.items())
    return str(data)


def row(watched: Shown, trial: TrialRecord, parameters: Iterable[str]) -> list[object]:
    """Return a trial as a list, see `FIELDS`."""
    study, known = watched.study, trial.confirmation
    curve = [_step(each.get(HEADLINE.name)) for each in trial.measurements]
    ends = known.intervals.get(watched.planes[0][1]) if known else None
    return [
        trial.number, name_of(trial.architecture), watched.where(trial), trial.epochs,
        [_finite(study.objective(name).value(trial.cost, trial.found)) for name in axes(study)],
        curve, [trial.params.get(name) for name in parameters], round(trial.trained_s, 2),
        round(trial.ended_at.timestamp()) if trial.ended_at else None, trial.failure_kind,
        known.seeds if known else 0, [_finite(ends.low), _finite(ends.high)] if ends else 0,
    ]  # fmt: skip


def _step(share: float | None) -> int | None:
    return None if share is None or not math.isfinite(share) else round(share * CURVE)


def _finite(value: float) -> float | None:
    if not math.isfinite(value):
        return None
    return int(value) if value == int(value) else float(f"{value:.6g}")


def all_rows(watched: Shown) -> list[list[object]]:
    """Return every trial, by number."""
    return [row(watched, watched.trials[number], watched.parameters) for number in sorted(watched.trials)]


def rows(watched: Watched, after: int | None = None) -> list[list[object]]:
    """Return the trials that have changed since an event, or all."""
    parameters = watched.parameters
    if after is None:
        return all_rows(watched)
    found = []
    for number, seq in reversed(watched.changed.items()):
        if seq <= after:
            break
        found.append(row(watched, watched.trials[number], parameters))
    return found[::-1]


def front(watched: Shown) -> Plain:
    """Return who is on the front, and what `search.pick` answers to each budget."""
    study = watched.study
    return {
        "numbers": [trial.number for trial in watched.front],
        "steps": {
            cost: [
                [step.bound, step.chosen.number, described(study, step.chosen, [study.objective(cost)])]
                for step in found
            ]
            for cost, found in watched.steps.items()
        },
    }


def events(watched: Watched, told: Iterable[Event]) -> list[Plain]:
    """Return what happened, in words."""
    return [
        {
            "seq": event.seq,
            "at": round(event.at.timestamp(), 1),
            "kind": event.kind,
            "trial": event.trial,
            "text": sentence(
                watched.study, event, watched.trials.get(event.trial) if event.trial is not None else None
            ),
        }
        for event in told
    ]


def head(watched: Watched, now: datetime) -> Plain:
    """Return how far the study is: epochs, time left, counts, whether a launch lives."""
    last = max(watched.sessions, key=lambda session: session.seen_at, default=None)
    epochs = sum(epochs * count for (_, epochs), count in watched.tally.items())
    alive = last is not None and is_alive(last, now)
    running = sum(count for (where, _), count in watched.tally.items() if where in ("training", "paused", "waiting"))
    over = not alive and not running and bool(watched.trials)
    planned, at_most = (float(epochs), False) if over else _planned(watched)
    return {
        "epochs": epochs,
        "planned": planned,
        "at_most": at_most,
        "left": _left(watched, now, None if planned is None else planned - epochs) if alive else None,
        "alive": alive,
        "seen": round(last.seen_at.timestamp()) if last else None,
        "over": over,
        "began": round(min(session.started_at for session in watched.sessions).timestamp()) if last else None,
        "wall": alive_spans(watched.sessions),
        "trained_s": round(watched.trained_s, 1),
        "hypervolume": round(front_hypervolume(watched.study, watched.front), 4),
        "counts": _counts(watched),
        "funnel": _funnel(watched),
        "workers": _workers(watched),
        "trials": watched.budget.get("trials"),
        "held": alive and watched.held,
        "asked": [hide(str(request)) for request in watched.waiting],
        "analysed": watched.found.stand,
        "stars": sorted(number for number, note in watched.noted.items() if note.star),
    }


def _planned(watched: Watched) -> tuple[float | None, bool]:
    """Return the epochs that are planned in all, and whether that is only the most that there can be."""
    budget, full = watched.budget, watched.study.max_epochs
    if watched.planned is not None:
        return watched.planned, False
    limits = [trials * full for trials in [budget.get("trials")] if isinstance(trials, int)]
    limits += [epochs for epochs in [budget.get("epochs")] if isinstance(epochs, int)]
    return (min(limits), True) if limits else (None, False)


def _left(watched: Watched, now: datetime, epochs: float | None) -> tuple[float, float] | None:
    """Return between which seconds it takes from now on, by the pace of this launch and the hours that it may take."""
    began = max(session.started_at for session in watched.sessions).timestamp()
    moments = watched.moments[bisect_left(watched.moments, began) :]
    told = left_s(moments, epochs) if epochs is not None and epochs > 0 else None
    if told and (last := _last_s(watched)):  # what trains alone at the end takes as long as it takes
        told = (max(told[0], last), max(told[1], 1.5 * last))
    hours = watched.budget.get("hours")
    if isinstance(hours, (int, float)):
        spent = sum(end - start for start, end in alive_spans(watched.sessions))
        most = max(hours * 3600 - spent, 0.0)
        told = (min(told[0], most), min(told[1], most)) if told else (most, most)
    since = now.timestamp() - moments[-1] if moments else 0.0
    return (round(max(told[0] - since, 0.0), 1), round(max(told[1] - since, 0.0), 1)) if told else None


def _last_s(watched: Watched) -> float:
    """Return the seconds until the last of the trials that train now comes to its next rung, or to its end."""
    levels = [*watched.study.rungs, watched.study.max_epochs]
    found = [0.0]
    for trial in watched.training():
        wanted = next((level for level in levels if level > trial.epochs), trial.epochs)
        found.append((wanted - trial.epochs) * (trial.last.wall_s if trial.last else 0.0))
    return max(found)


def alive_spans(sessions: Iterable[Session]) -> list[tuple[float, float]]:
    """Return from when to when a launch lived, without what two of them share."""
    spans: list[tuple[float, float]] = []
    for start, end in sorted((each.started_at.timestamp(), each.seen_at.timestamp()) for each in sessions):
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], round(end, 1)))
        else:
            spans.append((round(start, 1), round(end, 1)))
    return spans


def _counts(watched: Watched) -> dict[str, int]:
    counts: dict[str, int] = {}
    for (where, _), count in watched.tally.items():
        counts[where] = counts.get(where, 0) + count
    return {where: count for where, count in counts.items() if count}


def _funnel(watched: Watched) -> list[Plain]:
    """Return for each rung, and full training, how many came there, wait there, went on and ended there."""
    study = watched.study
    levels = [*study.rungs, study.max_epochs]
    places = [(where, epochs, count) for (where, epochs), count in watched.tally.items() if count]

    def sum_of(level: int, *wheres: str) -> int:
        return sum(count for where, epochs, count in places if epochs == level and where in wheres)

    return [
        {
            "epoch": level,
            "came": sum(count for _, epochs, count in places if epochs >= level),
            "paused": sum_of(level, "paused", "waiting"),
            "stopped": sum_of(level, "stopped"),
            "failed": sum(count for where, epochs, count in places if where == "failed" and before <= epochs < level),
            "on": sum(count for _, epochs, count in places if epochs > level) + sum_of(level, "training"),
            "complete": sum_of(level, "complete", OUTSIDE),
        }
        for before, level in zip([0, *levels[:-1]], levels, strict=True)
    ]


def _workers(watched: Watched) -> list[Plain]:
    """Return the trials that train now: how far they are, how long an epoch takes them, and where."""
    return [_worker(trial) for trial in watched.training()[:MOST_WORKERS]]


def _worker(trial: TrialRecord) -> Plain:
    last = trial.last
    recent = trial.measurements[-3:]
    peak = trial.shown.get("peak_bytes") if trial.shown else None
    return {
        "trial": trial.number,
        "epoch_s": round(sum(each.wall_s for each in recent) / len(recent), 2) if recent else None,
        "host": last.host if last else "",
        "device": last.device if last else "",
        "peak_bytes": peak,
        "since": round((last.at if last and last.at else trial.started_at or datetime.now(UTC)).timestamp(), 1),
    }
