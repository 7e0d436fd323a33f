"""All that is known of one trial, as plain values: why it ended, its epochs, its network by stages, its commands."""

import math
from typing import Any

from dashboards.live.shown import Shown
from dashboards.live.words import sentence
from dashboards.page import outline
from search.core.columns import architecture_line, lines_of
from search.core.commands import command
from search.core.environment import hide
from search.core.labels import name_of
from search.core.records import State, TrialRecord
from search.core.units import format_bytes, format_count, format_number_of
from spaces.architecture import OwnNetwork, plan
from spaces.errors import InputError
from spaces.plan import BlockSpec
from workers.kinds import FailureKind
from workers.measurement import ALONE, Measurement

Plain = dict[str, Any]


def details(watched: Shown, trial: TrialRecord, storage: str) -> Plain:
    """Return what the page shows of a trial that was chosen.

    Args:
        watched: its study.
        trial: of it.
        storage: the database as it is typed in a command.
    """
    noted = watched.noted.get(trial.number)
    return {
        "number": trial.number,
        "title": f"trial {trial.number}: {name_of(trial.architecture)}",
        "line": architecture_line(watched.study, trial),
        "lines": lines_of(watched.study, trial),
        "stages": _stages(trial, watched.study.classes),
        "costs": _costs(trial),
        "epochs": [_epoch(each) for each in trial.measurements],
        "why": hide("; ".join(filter(None, (trial.reason, trial.outside)))),
        "help": FailureKind.of(trial.failure_kind).help if trial.failure_kind else "",
        "log": hide(trial.failure_details),
        "attempts": trial.attempts,
        "star": bool(noted and noted.star),
        "note": (noted.text or "") if noted else "",
        "events": _events(watched, trial),
        "yaml": outline({"start": [trial.params]}) + "\n",  # as a study's file takes it
        "values": outline(trial.params) + "\n",  # to be changed and asked for
        "commands": _commands(watched, trial, storage),
    }


def _stages(trial: TrialRecord, classes: int) -> list[Plain]:
    """Return stem, stages and head, each with what is drawn of it; nothing where nobody here knows its blocks."""
    if isinstance(trial.architecture, OwnNetwork):
        return []
    try:
        written = plan(trial.architecture)
    except InputError:  # of a package that is not here
        return []
    stages = [
        {"name": f"stage {number}", "blocks": len(blocks), "kind": trial.architecture.block,
         "width": blocks[-1].out_width, "stride": math.prod(spec.stride for spec in blocks),
         "convolutions": _branch(blocks[-1])}
        for number, blocks in enumerate(written.stages, start=1)
    ]  # fmt: skip
    stem = {"name": "stem", "blocks": 1, "kind": f"{written.stem.kernel}x{written.stem.kernel}",
            "width": written.stem.width, "stride": written.stem.stride, "convolutions": ""}  # fmt: skip
    head = {"name": "head", "blocks": 1, "kind": written.head.kind, "width": classes,
            "stride": 1, "convolutions": ""}  # fmt: skip
    return [*([stem] if written.stem.kernel else []), *stages, head]


def _branch(block: BlockSpec) -> str:
    return ", ".join(
        f"{each.kernel}x{each.kernel}" + (f" in {each.groups} groups" if each.groups > 1 else "")
        for each in block.branch
    )


def _costs(trial: TrialRecord) -> list[tuple[str, str]]:
    cost = trial.cost
    return [
        ("multiply-accumulates per image", format_count(cost.macs)),
        ("parameters", format_count(cost.params)),
        ("activations per image", format_count(cost.activations)),
        ("weights", format_bytes(cost.weight_bytes)),
        *([("memory of training, at most", format_bytes(cost.training_bytes))] if cost.training_bytes else []),
    ]


def _epoch(measured: Measurement) -> Plain:
    shown = {name: float(f"{value:.5g}") for name, value in measured.metrics.items() if name != ALONE}
    return {"epoch": measured.epoch, "metrics": shown, "seconds": round(measured.wall_s, 2), "where": _where(measured)}


def _where(measured: Measurement) -> str:
    """Return on what an epoch was trained, and what ran there meanwhile, where that changes what was measured."""
    others = format_number_of("other", measured.together - 1)
    beside = measured.metrics.get(ALONE) == 0
    parts = (
        " ".join(filter(None, (measured.host, measured.device))),
        f"as one network with {others}" if measured.together > 1 else "",
        "latency beside other trainings" if beside else "",
    )
    return ", ".join(filter(None, parts))


def _events(watched: Shown, trial: TrialRecord) -> list[Plain]:
    mine = [event for event in watched.events if event.trial == trial.number]
    return [{"at": event.at.timestamp(), "text": hide(sentence(watched.study, event, None))} for event in mine[-30:]]


def _commands(watched: Shown, trial: TrialRecord, storage: str) -> list[Plain]:
    given = (storage, "--study", watched.study.name, "--trial", str(trial.number))
    like = ("train", "--like", str(trial.number), "--set", "NAME=VALUE")
    alike = {"what": "train one like it in this study, but for some values", "line": command(
        "search.control", storage, "--study", watched.study.name, *like)}  # fmt: skip
    if trial.state is not State.COMPLETE:
        return [
            {"what": "train it again, outside of the study", "line": command("search.retrain", *given, "-o", "again")},
            alike,
        ]
    return [
        {"what": "take it with you", "line": command("search.export", *given, "-o", "folder")},
        {"what": "train it again, longer", "line": command("search.retrain", *given, "-o", "again")},
        {"what": "find out how sure it is", "line": command(
            "search.confirm", storage, "--study", watched.study.name, "--trials", str(trial.number))},
        alike,
    ]  # fmt: skip
