"""Put trials into words."""

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence

from search.core.records import State, TrialRecord
from search.core.units import format_count, format_number_of, format_percent, value_text
from spaces.architecture import Architecture, OwnNetwork
from workers.kinds import FailureKind
from workers.tasks import CLASSIFICATION

ORDERS = {  # short for names
    "bn_after_addition": "bnafter", "relu_before_addition": "relubefore", "relu_only": "reluonly", "full": "full",
}  # fmt: skip

MOST_OF_REASON = 120  # characters


def name_of(architecture: Architecture) -> str:
    """Return a short name: block, depth and widening factor, and what else matters, such as `resnext-2x4-C8`."""
    if isinstance(architecture, OwnNetwork):
        options = "".join(f"-{name}{value_text(value)}" for name, value in architecture.options)
        return f"{architecture.network.partition(':')[2]}{options}"
    cardinality = f"-C{architecture.cardinality}" if architecture.cardinality > 1 else ""
    branches = f"-m{architecture.branches}" if architecture.branches > 1 else ""
    columns = f"-c{architecture.columns}" if architecture.block == "fractal" else ""
    base = f"-d{architecture.base_width}" if isinstance(architecture.base_width, int) else ""
    kernels = f"-B{''.join(map(str, architecture.kernels))}" if architecture.kernels != (3, 3) else ""
    order = f"-{ORDERS[architecture.order]}" if architecture.order != "original" else ""
    depth = depth_of(architecture, ".")
    what = f"{cardinality}{branches}{columns}{base}{kernels}{order}"
    return f"{architecture.block}-{depth}x{architecture.widening_factor:g}{what}"


def depth_of(architecture: Architecture, between: str) -> str:
    """Return the blocks of a stage, or of each, where they are not as many."""
    depths = architecture.depths
    return str(depths[0]) if len(set(depths)) == 1 else between.join(map(str, depths))


def trial_line(trial: TrialRecord) -> str:
    """Return one line for a trial that has ended."""
    shown = trial.shown.get(CLASSIFICATION.headline) if trial.shown else None
    reached = "" if shown is None else f" at {format_percent(shown)}"
    why = f" ({trial.reason})" if trial.state is not State.COMPLETE and trial.reason else ""
    cost = f"{format_count(trial.cost.macs)} macs, {format_count(trial.cost.params)} params"
    full = f"fully trained ({format_number_of('epoch', trial.epochs)})"
    how = f"{full if trial.state is State.COMPLETE else f'{trial.state} in epoch {trial.epochs}'}{reached}"
    return f"trial {trial.number} {name_of(trial.architecture)} {how}, {cost}{why}"


OVERSTEPS = "oversteps"  # what is said of a network before the constraints that it breaks
KINDS_SHOWN = 4  # reasons why trials are no members


def outside_kind(why: str) -> str:
    """Return why a trial is no member, without the number that is each trial's own."""
    return re.sub(r" by [\d,.]+%", "", why) if why.startswith(OVERSTEPS) else why


def outside_kinds(trials: Iterable[TrialRecord]) -> str:
    """Return why trials are no members, the commonest reasons first."""
    counted = Counter(outside_kind(trial.outside) for trial in trials if trial.outside).most_common()
    shown = ", ".join(f"{kind} ({count})" for kind, count in counted[:KINDS_SHOWN])
    return shown if len(counted) <= KINDS_SHOWN else f"{shown} and {len(counted) - KINDS_SHOWN} more reasons"


def outside_line(trials: Iterable[TrialRecord]) -> str:
    """Return one line: how many trials stand on no front for what their study has become; empty where none does."""
    out = [trial for trial in trials if trial.outside]
    many = format_number_of("trial", len(out))
    return f"outside: {many} on no front, as space or constraints have changed: {outside_kinds(out)}" if out else ""


def failures_line(trials: Iterable[TrialRecord]) -> str:
    """Return one line: how many trials failed of each kind, its commonest reason, what helps; empty where none did."""
    kinds: dict[str, list[str]] = {}
    for trial in trials:
        if trial.state is State.FAILED:
            kinds.setdefault(trial.failure_kind, []).append(trial.reason.removeprefix(f"{trial.failure_kind}: "))
    counted = sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0]))
    told = [_told(kind, reasons) for kind, reasons in counted]
    return f"failures: {', '.join(told)}" if told else ""


def _told(kind: str, reasons: Sequence[str]) -> str:
    why = _why(kind, reasons)
    return f"{len(reasons)} {kind or 'of no known kind'}{f' ({why})' if why else ''}"


def _why(kind: str, reasons: Sequence[str]) -> str:
    """Return the first of the commonest reasons, and what helps. Reasons that differ in their numbers are one."""
    alike = Counter(re.sub(r"[\d.]+", "#", reason) for reason in reasons)
    most = max(alike.values())
    commonest = next(reason for reason in reasons if alike[re.sub(r"[\d.]+", "#", reason)] == most)
    shown = textwrap.shorten(commonest, MOST_OF_REASON, placeholder=" [...]")
    return "; ".join(part for part in (shown, kind and FailureKind.of(kind).help) if part)
