"""Make verdicts: of what is counted at once, of what was trained by the seeds that are known so far."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from math import isfinite, nan

from search.claims.networks import counted
from search.claims.plan import Plan, Run
from search.core.claims import CHANCE, LEVEL, Claim, Effect, Kind, Training, Verdict
from search.core.units import format_number_of
from search.models.contrast import ratio
from search.models.paired import mean, paired
from search.models.seeds import Interval

EXACT, MEAN, PAIRED, WELCH = "exact", "mean", "paired", "Welch"


def verdict(claim: Claim, plan: Plan, known: Mapping[str, Training], at: datetime) -> Verdict:
    """Return what is found of a claim.

    Args:
        claim: one of the plan's.
        plan: what it needs.
        known: trainings by key; those that are missing make it less sure.
        at: now.
    """
    if claim.kind is Kind.COUNTED:
        return _told(claim, plan, effect=_counted(claim), at=at, networks=claim.networks(small=False))
    runs = plan.runs_of(claim)
    known = {run.key: _outcome(claim, plan, known[run.key]) for run in runs if run.key in known}
    used = _comparable(claim, runs, known)
    effect = _trained(claim, plan, runs, used)
    if any(_failed(claim, each) or claim.of in each.refused for each in used.values()):  # the others are no fair sample
        effect = replace(effect, low=nan, high=nan)
    return _told(
        claim, plan, effect=effect, at=at, note=_note(claim, plan, runs, known, used),
        networks=tuple(dict.fromkeys(run.network for run in runs)), trainings=list(used.values()),
    )  # fmt: skip


def _outcome(claim: Claim, plan: Plan, training: Training) -> Training:
    """Return a training as a claim takes it: one that diverged is one that guesses, where the claim says so."""
    if not (claim.diverged and training.diverged):
        return training
    return replace(training, values={claim.of: CHANCE[claim.of](plan.images.image.classes)})


def _failed(claim: Claim, training: Training) -> bool:
    return bool(training.failure) and claim.of not in training.values


def _comparable(claim: Claim, runs: Sequence[Run], known: Mapping[str, Training]) -> dict[str, Training]:
    """Return the trainings of a claim by key; where time is compared, those of the machine that trained last."""
    found = {run.key: known[run.key] for run in runs if run.key in known}
    if claim.of != "train_s" or not found:
        return found
    last = max(found.values(), key=lambda each: each.at).machine
    return {key: each for key, each in found.items() if each.machine == last}


def _told(
    claim: Claim, plan: Plan, *, effect: Effect, at: datetime, networks: tuple[str, ...], note: str = "",
    trainings: Sequence[Training] = (),
) -> Verdict:  # fmt: skip
    counted_only = claim.kind is Kind.COUNTED
    return Verdict(
        claim=claim.id, says=claim.says, source=claim.source, kind=claim.kind, of=claim.of, unit=claim.unit,
        range=claim.range, networks=networks, form="usual" if counted_only else plan.form(claim),
        data="" if counted_only else plan.images.spec.title,
        fingerprint="" if counted_only else plan.images.fingerprint,
        epochs=0 if counted_only else plan.recipe.epochs, outcome=claim.judge(effect), effect=effect,
        start=claim.ends[0], end=claim.ends[1], asked=plan.asked(claim), note=note,
        seconds=sum(each.seconds for each in trainings),
        machine=trainings[-1].machine if trainings else {}, at=at,
    )  # fmt: skip


def _counted(claim: Claim) -> Effect:
    first, *second = (counted(claim, text) for text in claim.networks(small=False))
    value = first
    if second:
        value = _ratio(first, second[0]) if claim.by == "ratio" else first - second[0]
    return Effect(value=value, low=value, high=value, test=EXACT)


def _ratio(first: float, second: float) -> float:
    """Return how many times as much the first is; nobody knows of nothing."""
    return first / second if second else nan


def _trained(claim: Claim, plan: Plan, runs: Sequence[Run], known: Mapping[str, Training]) -> Effect:
    """Return an effect by the seeds that are known: of one network, of a ratio, or paired by seed."""
    first, *others = _by_seed(claim, plan, runs, known)
    step = _step(claim, plan)
    if not others:
        return _told_by(mean(list(first.values()), LEVEL, step), MEAN, len(first), rate=bool(step))
    second = others[0]
    if claim.by == "ratio":
        found = ratio(list(first.values()), list(second.values()), LEVEL)
        return _told_by(found, WELCH, min(len(first), len(second)))
    both = [seed for seed in first if seed in second]
    found = paired([first[seed] for seed in both], [second[seed] for seed in both], LEVEL, step)
    return _told_by(found, PAIRED, len(both), rate=bool(step))


def _told_by(found: Interval, test: str, seeds: int, *, rate: bool = False) -> Effect:
    """Return an effect; what is about shares is within one of nothing."""
    low, high = (max(-1.0, min(1.0, end)) if rate and isfinite(end) else end for end in (found.low, found.high))
    return Effect(value=found.mean, low=low, high=high, test=test, seeds=seeds)


def _step(claim: Claim, plan: Plan) -> float:
    """Return by which a quantity can differ at least: a share, by one of the images that it is of."""
    if not claim.quantity.rate:
        return 0.0
    return 1 / (plan.images.train if claim.of == "train_error" else plan.images.measured)


def _by_seed(claim: Claim, plan: Plan, runs: Sequence[Run], known: Mapping[str, Training]) -> list[dict[int, float]]:
    """Return for each network of a claim what was found by each seed."""
    count = len(runs) // plan.seeds
    found: list[dict[int, float]] = [{} for _ in range(count)]
    for place, run in enumerate(runs):
        value = known[run.key].values.get(claim.of, nan) if run.key in known else nan
        if isfinite(value):
            found[place % count][run.seed] = value
    return found


def _note(
    claim: Claim, plan: Plan, runs: Sequence[Run], known: Mapping[str, Training], used: Mapping[str, Training]
) -> str:
    """Return what keeps a claim from being known better."""
    missing = sum(plan.lacks(run, known) for run in runs)
    said = [f"{format_number_of('training', missing)} still to be done"] if missing else []
    if elsewhere := sum(run.key in known and run.key not in used for run in runs):
        said.append(f"{format_number_of('training', elsewhere)} timed on another machine, or with other threads")
    ended = [(run.network, known[run.key]) for run in runs if run.key in known]
    if failed := [(network, each.failure) for network, each in ended if _failed(claim, each)]:
        (network, why), *more = failed
        said.append(f"{network} failed ({why})" + (f" and {len(more)} more" if more else ""))
    diverged = Counter(network for network, each in ended if each.failure and not _failed(claim, each))
    said += [
        f"{network} diverged with {format_number_of('seed', count)}, which counts as chance"
        for network, count in diverged.items()
    ]
    refused = dict.fromkeys((network, each.refused[claim.of]) for network, each in ended if claim.of in each.refused)
    said += [f"not read: {network}: {why}" for network, why in refused]
    return "; ".join(said)
