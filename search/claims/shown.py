"""Show claims, what they cost and what was found of them: tables and lines for a terminal, plain values."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from search.claims.plan import Plan, Run
from search.claims.pricing import macs
from search.core.claims import QUANTITIES, Claim, Training, Unit, Verdict
from search.core.units import UNKNOWN, format_count, format_duration, format_number_of, format_percent
from spaces.errors import visible


def listing(claims: Sequence[Claim], plan: Plan) -> Table:
    """Return a table of claims with what each takes by itself."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in ("id", "claim", "source", "kind", "price"):
        table.add_column(name, no_wrap=name in ("id", "kind"))
    for claim in claims:
        words = (claim.id, claim.says, claim.source, claim.kind, price_of(plan.runs_of(claim), plan))
        table.add_row(*map(escape, words))
    return table


def price_of(runs: Sequence[Run], plan: Plan) -> str:
    """Return what runs take: 10 trainings, 1.2T macs."""
    if not runs:
        return "none"
    work = macs(runs, plan.images.image, plan.images.train)
    return f"{format_number_of('training', len(runs))}, {format_count(work)} macs"


def listed(claim: Claim, plan: Plan) -> dict[str, Any]:
    """Return a claim and its price as plain values."""
    runs = plan.runs_of(claim)
    return {
        "id": claim.id, "claim": claim.says, "source": claim.source, "kind": claim.kind.value, "of": claim.of,
        "by": claim.by, "range": claim.range, "networks": list(claim.networks(small=plan.form(claim) == "small")),
        "form": plan.form(claim), "trainings": len(runs), "macs": macs(runs, plan.images.image, plan.images.train),
    }  # fmt: skip


def progress(run: Run, ended: Training) -> str:
    """Return a line on a training that has ended."""
    who = f"{run.network}, seed {run.seed}"
    if ended.failure:
        return f"{who}: failed: {ended.failure}"
    refused = "".join(f"; {name} not read: {why}" for name, why in ended.refused.items())
    return f"{who}: error {format_percent(ended.values.get('error'))}, {format_duration(ended.seconds)}{refused}"


def table(verdicts: Sequence[Verdict]) -> Table:
    """Return a table of verdicts."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in ("claim", "verdict", "of", "effect (95 %)", "claimed", "on", "seeds", "time"):
        made.add_column(name, justify="right" if name in ("seeds", "time") else "left")
    for each in verdicts:
        seconds = format_duration(each.seconds) if each.seconds else UNKNOWN
        on = f"{each.data}, {format_number_of('epoch', each.epochs)}" if each.data else UNKNOWN
        told = QUANTITIES[each.of].told if each.of in QUANTITIES else each.of
        seeds = str(each.effect.seeds or UNKNOWN)
        cells = each.claim, each.outcome, told, each.told, each.range, on, seeds, seconds
        made.add_row(*(escape(visible(cell)) for cell in cells))
    return made


def notes(verdicts: Sequence[Verdict]) -> list[str]:
    """Return a line for each verdict that something keeps from being known."""
    return [f"{each.claim}: {each.note}" for each in verdicts if each.note]


def others(found: Sequence[Sequence[Verdict]]) -> list[str]:
    """Return a line for each verdict that one of more weight hides."""
    return [f"{each.claim}: also {_by(each)}: {each.outcome}" for _, *rest in found for each in rest]


def _by(verdict: Verdict) -> str:
    epochs, seeds = verdict.epochs, verdict.effect.seeds
    return f"after {format_number_of('epoch', epochs)}, by {format_number_of('seed', seeds)}"


def stood(found: Sequence[Verdict], stand: Sequence[Verdict]) -> list[str]:
    """Return a line for each verdict that an earlier one by more seeds keeps from being written down."""
    return [
        f"{new.claim}: the verdict by {old.effect.seeds} seeds stands; this run has {new.effect.seeds}"
        for new, old in zip(found, stand, strict=True) if new is not old
    ]  # fmt: skip


def row(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as plain values; what is not known is null."""
    found = verdict.effect
    return {
        "claim": verdict.claim, "says": verdict.says, "source": verdict.source, "kind": verdict.kind.value,
        "of": verdict.of, "by": "ratio" if verdict.unit is Unit.TIMES else "difference", "range": verdict.range,
        "networks": list(verdict.networks), "form": verdict.form, "data": verdict.data, "epochs": verdict.epochs,
        "verdict": verdict.outcome.value, "effect": _plain(found.value), "low": _plain(found.low),
        "high": _plain(found.high), "test": found.test, "seeds": found.seeds, "seconds": verdict.seconds,
        "note": verdict.note, "machine": dict(verdict.machine), "at": verdict.at.isoformat(),
    }  # fmt: skip


def _plain(value: float) -> float | None:
    return value if isfinite(value) else None
