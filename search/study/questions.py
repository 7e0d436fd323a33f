"""Ask what can be asked of a study: ASKED says for each kind of analysis which networks, and by which settings."""

import hashlib
import json
import math
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any

from search import cli
from search.core.analyses import Analysis, Question
from search.core.fronts import front_trials
from search.core.marginals import marginals
from search.core.picking import best_quality, first_cost
from search.core.records import StudyRecord, TrialRecord
from search.study.analysing import Bench
from search.study.weights import pick
from spaces.architecture import Architecture, OwnNetwork
from spaces.errors import InputError, unknown
from spaces.names import asked
from spaces.network import check_fits
from spaces.plain import plain_of
from workers.kept import Kept
from workers.objectives import OBJECTIVES, Objective
from workers.surfaces import ANEW, LEFT, TRAINING, VALIDATION
from workers.trainer import TrialSpec

SUMMED = ("params", "macs", "activations", "weight_bytes", "latency_ms")  # costs that networks have one after another
COMBINED = 8  # networks of a front: 162 subsets of at most four
MEMBERS = 4  # of an ensemble
PARTS = (TRAINING, VALIDATION)
STATISTICS = (ANEW, LEFT)
STEPS = {1: 21, 2: 11}  # of a surface, by its dimensions
ROUNDS = 10  # of timing
LEAST = {"blocks": 1, "draws": 1, "paths": 1, "dimensions": 1, "steps": 3, "images": 1, "batch": 2, "rounds": 2,
         "threads": 1}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a person asks for beside the kind; what is none stands at its default, and not every kind reads all."""

    trial: int | None = None
    front: bool | None = None
    blocks: int | None = None
    draws: int | None = None
    seed: int | None = None
    paths: int | None = None
    train: bool | None = None
    dimensions: int | None = None
    steps: int | None = None
    span: float | None = None
    images: int | None = None
    on: str | None = None
    statistics: str | None = None
    plain: bool | None = None
    networks: Sequence[str] | None = None
    batch: int | None = None
    rounds: int | None = None
    threads: int | None = None

    @classmethod
    def of(cls, named: Mapping[str, Any]) -> "Given":
        """Return what a program asks for by name.

        Raises:
            InputError: nothing is read by a name, or is below what any kind can do with.
        """
        known = [each.name for each in fields(cls)]
        for name, value in named.items():
            if name not in known:
                raise InputError(unknown("option", name, known))
            least = LEAST.get(name, 0)
            if isinstance(value, (int, float)) and not value >= least:
                raise InputError(f"{value} is below {least}", place=name)
        return cls(**named)

    def check(self, kind: str) -> None:
        """Refuse what a kind does not read.

        Raises:
            InputError: naming it; or there is no such kind.
        """
        if kind not in ASKED:
            raise InputError(unknown("analysis", kind, ASKED))
        read = READ[kind]
        for name in (each.name for each in fields(self)):
            value = getattr(self, name)
            if value is not None and value is not False and name not in read:
                raise InputError(f"{kind} does not read it; {_reads(read)}", place=f"--{name}")
        if self.trial is not None and self.front:
            raise InputError("one trial or the front, not both", place="--front")


def _reads(read: Sequence[str]) -> str:
    return f"it reads {', '.join(f'--{name}' for name in read)}" if read else "it is of the whole study"


def ask(bench: Bench, kind: str, given: Given) -> Iterator[Analysis]:
    """Yield what is found: one analysis, or one of each network that is asked about.

    Raises:
        InputError: it cannot be asked, of this study or at all.
        StudyError: it was not computed.
    """
    given.check(kind)
    return ASKED[kind](bench, given)


def _ensemble(bench: Bench, _given: Given) -> Iterator[Analysis]:
    cost = summed(bench.study)
    front = sorted(front_trials(bench.study, bench.trials), key=lambda trial: _worth(bench.study, trial))
    networks = list(_kept_of(bench, front[:COMBINED], lambda trial: cost.value(trial.cost, trial.found)))
    if len(networks) < 2:
        raise InputError(
            f"an ensemble takes 2 networks of the front whose weights are kept; there is {len(networks) or 'none'}"
        )
    told = {"most": MEMBERS, "cost": cost.name, "unit": cost.unit}
    cut = {"of": len(front)} if len(front) > len(networks) else {}
    yield bench.found("ensemble", sorted(networks, key=lambda each: each.trial), {**told, **cut})


def _worth(study: StudyRecord, trial: TrialRecord) -> float:
    quality = best_quality(study)
    return quality.minimised(quality.value(trial.cost, trial.found))


def summed(study: StudyRecord) -> Objective:
    """Return the first cost of a study, where those of several networks add up, else macs."""
    cost = first_cost(study)
    return cost if cost.name in SUMMED else OBJECTIVES["macs"]


def _kept_of(bench: Bench, trials: Sequence[TrialRecord], cost: Callable[[TrialRecord], float]) -> Iterator[Kept]:
    """Yield where the weights of trials are; where there are none, it is said, and they are left out."""
    for trial in trials:
        try:
            kept, said = bench.kept(trial, cost(trial))
        except InputError as error:
            if error.place == "--checkpoints":
                raise
            cli.warn([f"left out: {error.message}"])
        else:
            cli.warn(said)
            yield kept


def _lesion(bench: Bench, given: Given) -> Iterator[Analysis]:
    if given.draws and not given.blocks:
        raise InputError("is how often --blocks are taken out", place="--draws")
    if given.seed is not None and not (given.blocks or given.paths):
        raise InputError("is of what --blocks and --paths draw; nothing else is drawn", place="--seed")
    random: dict[str, Any] = {"blocks": given.blocks, "draws": given.draws or 20, "seed": given.seed or 0}
    settings = random if given.blocks else dict.fromkeys(random)
    more = {"paths": given.paths, "seed": given.seed or 0} if given.paths else {}
    return _each(bench, "lesion", given, {**settings, **more, **({"train": True} if given.train else {})})


def _filters(bench: Bench, given: Given) -> Iterator[Analysis]:
    return _each(bench, "filters", given, {})


def _surface(bench: Bench, given: Given) -> Iterator[Analysis]:
    dimensions = given.dimensions or 1
    _check_named(given)
    steps = given.steps or STEPS[dimensions]
    if not steps % 2:
        raise InputError(f"{steps} points have none in the middle; {steps - 1} or {steps + 1} have", place="--steps")
    settings = {
        "dimensions": dimensions, "steps": steps, "span": given.span or 1.0, "seed": given.seed or 0,
        "images": given.images or 512, "of": given.on or TRAINING, "statistics": given.statistics or ANEW,
        "plain": bool(given.plain),
    }  # fmt: skip
    return _each(bench, "surface", given, settings)


def _check_named(given: Given) -> None:
    """Refuse what a program gives and the command's parser would not let through.

    Raises:
        InputError: naming it, and what it may be.
    """
    for name, options in (("dimensions", tuple(STEPS)), ("on", PARTS), ("statistics", STATISTICS)):
        if (value := getattr(given, name)) not in (None, *options):
            raise InputError(unknown(name, value, map(str, options)), place=f"--{name}")
    if given.span is not None and not 0 < given.span < math.inf:
        raise InputError(f"{given.span} is not a number above 0", place="--span")


def _each(bench: Bench, kind: str, given: Given, settings: Mapping[str, Any]) -> Iterator[Analysis]:
    """Yield the analysis of the trial that was named, or of each network of the front that it can be asked of."""
    if not given.front:
        trial = pick(bench.study, bench.trials, given.trial)
        _check_ours(trial)
        kept, said = bench.kept(trial)
        cli.warn(said)
        yield bench.found(kind, [kept, *_beside(bench, kept, settings)], settings)
        return
    refused = InputError("no network of the front can be analysed", place="--front")
    none = True
    for kept in _kept_of(bench, front_trials(bench.study, bench.trials), _check_ours):
        try:
            found = bench.found(kind, [kept, *_beside(bench, kept, settings)], settings)
        except InputError as error:
            refused = error
            cli.warn([f"trial {kept.trial} is left out: {error}"])
        else:
            none = False
            yield found
    if none:
        raise refused


def _check_ours(trial: TrialRecord) -> float:
    """Refuse what a function of a person's own builds, and return that it costs nothing.

    Raises:
        InputError: of whose parts nobody knows.
    """
    if isinstance(trial.architecture, OwnNetwork):
        name = trial.architecture.network
        raise InputError(f"trial {trial.number} is built by {name}: nobody knows its blocks", place="--trial")
    return 0.0


def _beside(bench: Bench, kept: Kept, settings: Mapping[str, Any]) -> list[Kept]:
    """Return the plain network of a trial's, where it is asked for and a trial was trained in full as that.

    Raises:
        InputError: a network without shortcuts cannot be.
    """
    if not settings.get("plain"):
        return []
    try:
        digest = plain_of(kept.spec.architecture).digest
    except InputError as error:
        raise error.at("--plain") from error
    for trial in (each for each in bench.trials if each.digest == digest):
        with suppress(InputError):
            found, said = bench.kept(trial)
            if not said and found.spec.recipe == kept.spec.recipe:
                return [found]
    return []


def _speed(bench: Bench, given: Given) -> Iterator[Analysis]:
    named = list(_timed(bench, given))
    if len(named) < 2:
        none = "one network has no ratio" if named else "no network is named"
        raise InputError(f"{none}; name two or more, by --networks, --trial or --front")
    if twice := next((name for name, _ in named if sum(name == other for other, _ in named) > 1), ""):
        raise InputError(f"{twice} is named twice", place="--networks")
    recipe = bench.config.full_recipe
    batch = given.batch or recipe.batch_size
    specs = [
        TrialSpec(architecture=each, recipe=replace(recipe, batch_size=batch), data=bench.config.data_spec, seed=0,
                  packages=bench.study.needed)
        for _, each in named
    ]  # fmt: skip
    settings = {
        "networks": [name for name, _ in named], "batch": batch, "rounds": given.rounds or ROUNDS,
        "threads": given.threads or bench.config.resources.cpus_per_trial,
        "host": platform.node(), "device": bench.device,
    }  # fmt: skip
    about = [{"name": name, "spec": spec.to_json()} for (name, _), spec in zip(named, specs, strict=True)]
    what = hashlib.sha256(json.dumps([each.architecture.to_json() for each in specs]).encode()).hexdigest()
    question = Question(kind="speed", trials=(), settings=settings, weights=what, fingerprint=bench.study.fingerprint)
    yield bench.answered(question, {"timed": about, "threads": settings["threads"]})


def _timed(bench: Bench, given: Given) -> Iterator[tuple[str, Architecture]]:
    """Yield what is timed: networks by name, such as `wrn-16-4` or `wrn-16-4 order=original`, then trials.

    Raises:
        InputError: nobody knows a name, or the images of the study are too small for it.
    """
    for name in given.networks or ():
        first, *settings = name.split() or [""]
        try:
            architecture = asked(first, settings).architecture
            check_fits(architecture, bench.study.image_spec)
        except InputError as error:
            raise error.at("--networks") from error
        yield name, architecture
    trials = front_trials(bench.study, bench.trials) if given.front else []
    if given.trial is not None:
        trials = [pick(bench.study, bench.trials, given.trial)]
    yield from ((f"trial {trial.number}", trial.architecture) for trial in trials)


def _marginals(bench: Bench, _given: Given) -> Iterator[Analysis]:
    question, rows = marginals(bench.study, bench.trials)
    yield bench.known(question) or Analysis(question=question, rows=rows, at=datetime.now(UTC))


def _flow(bench: Bench, given: Given) -> Iterator[Analysis]:
    """Yield what came through the blocks of the trial that was named, or of each network of the front that has it."""
    named = [] if given.front else [pick(bench.study, bench.trials, given.trial)]
    flowed = {trial.number: bench.store.flow(bench.study.name, trial.number)
              for trial in named or front_trials(bench.study, bench.trials)}  # fmt: skip
    if not any(flowed.values()):
        which = f"trial {named[0].number}" if named else "any network of the front"
        why = "a study records it where its file says recipe: {record: flow}"
        raise InputError(f"it is not known what came through the blocks of {which}: {why}", place="--trial")
    for number, rows in flowed.items():
        if rows:
            seen = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
            question = Question(kind="flow", trials=(number,), weights=seen, fingerprint=bench.study.fingerprint)
            yield bench.known(question) or Analysis(question=question, rows=rows, at=datetime.now(UTC))


ASKED: dict[str, Callable[[Bench, Given], Iterator[Analysis]]] = {
    "ensemble": _ensemble,
    "lesion": _lesion,
    "filters": _filters,
    "surface": _surface,
    "speed": _speed,
    "marginals": _marginals,
    "flow": _flow,
}
READ: dict[str, tuple[str, ...]] = {
    "ensemble": ("front",),
    "lesion": ("trial", "front", "blocks", "draws", "seed", "paths", "train"),
    "filters": ("trial", "front"),
    "surface": ("trial", "front", "dimensions", "steps", "span", "seed", "images", "on", "statistics", "plain"),
    "speed": ("networks", "trial", "front", "batch", "rounds", "threads"),
    "marginals": (),
    "flow": ("trial", "front"),
}
