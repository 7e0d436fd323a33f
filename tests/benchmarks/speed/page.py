"""Write docs/speed.md from what was measured.

python -m tests.benchmarks.speed.page runs.jsonl > docs/speed.md
"""

import math
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from search.models.contrast import ratio
from tests.benchmarks.speed.growth import Scale, final, reached
from tests.benchmarks.speed.lines import PARTS, SCRIPTS, SEARCH, TREES, Line, read
from tests.benchmarks.speed.processes import DRIVER, WORKERS

OF_FINAL = 0.95
NOTES = Path(__file__).with_name("notes.md")
NAMES = {"optuna": "Optuna's script", "ray": "Ray Tune's script"}
TASKS = {
    "digits": "Digits: `space.yaml`, {trials} trials, up to 9 epochs of 1,050 images",
    "fashion": "Fashion-MNIST: `tests/benchmarks/speed/fashion.yaml`, {trials} trials, up to 9 epochs of 5,000 images",
}
WHATS = {"dry-run": "`--dry-run`", "confirm": "`search.confirm` of 4 networks with 5 seeds"}
HOW = """\
Seconds from the command to the front, measured by `make benchmark-speed` (tests/benchmarks/speed), which wrote this
page. Each run is a whole process, imports and the end included; systems took turns. Numbers are medians with the least
and the most; `n` is how many runs there were, each with a seed of its own."""
SCRIPTED = """\
The scripts are what one writes without Widefront: `optuna_script.py` (multivariate TPE, two processes, every network in
full) and `ray_script.py` (OptunaSearch, ASHA by accuracy), over the same networks, images, epochs and number of trials,
with a plain loop in float32, two trainings at once. Widefront trains in what its probe found to be right and faster on
the machine."""
Numbers = Sequence[float]


def told(numbers: Numbers, digits: int = 1) -> str:
    """Return the median with the least and the most: `2.0 (1.0..inf)`, or a dash for nothing."""
    if not numbers:
        return "-"
    middle, least, most = (f"{each:.{digits}f}" for each in (median(numbers), min(numbers), max(numbers)))
    return middle if len(numbers) == 1 else f"{middle} ({least}..{most})"


def times(group: Numbers, others: Numbers, digits: int = 2) -> str:
    """Return the ratio of geometric means with its interval of 95 %, of what is finite and above nothing."""
    found = ratio(*([each for each in side if 0 < each < math.inf] for side in (group, others)))
    shown = "-" if math.isnan(found.mean) else f"{found.mean:.{digits}f}"
    return shown if math.isnan(found.low) else f"{shown} [{found.low:.{digits}f}, {found.high:.{digits}f}]"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def page(lines: Sequence[Line]) -> str:
    """Return the page."""
    parts = [_head(lines)] if lines else ["# Speed\n\nNothing is measured yet."]
    for task, title in TASKS.items():
        searches = [line for line in lines if line.job.what == SEARCH and line.job.task == task]
        if searches:
            trials = " or ".join(map(str, sorted({line.more["trials"] for line in searches})))
            parts += [
                f"## {title.format(trials=trials)}",
                _searches(searches),
                *_contrasts(searches),
                *_where(searches),
            ]
    if rest := [line for line in lines if line.job.what in PARTS]:
        parts += ["## Parts", _parts(rest)]
    if NOTES.exists():
        parts.append(NOTES.read_text(encoding="utf-8").strip())
    return "\n\n".join(parts) + "\n"


def _head(lines: Sequence[Line]) -> str:
    machines = sorted({", ".join(f"{name} {value}" for name, value in line.machine.items()) for line in lines})
    days = sorted({datetime.fromtimestamp(line.began, UTC).date().isoformat() for line in lines})
    versions = {line.job.system: line.commit for line in lines if line.job.system in TREES}
    commits = ", ".join(f"{_name(system)} {commit}" for system, commit in sorted(versions.items(), reverse=True))
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    load = told([line.load for line in lines])
    measured = f"{'; '.join(machines)}. {when}. {commits}. Load before a run: {load}."
    return "\n\n".join(["# Speed", HOW, measured, SCRIPTED])


def _name(system: str) -> str:
    return NAMES.get(system) or ("Widefront" if system == "here" else "Widefront before")


def _of(lines: Sequence[Line], system: str) -> list[Line]:
    return [line for line in lines if line.job.system == system]


def _scale(searches: Sequence[Line]) -> Scale | None:
    """Return the axes' ends, which are those of the space and so of every study of it."""
    more = next((line.more for line in searches if "macs" in line.more), None)
    return more and Scale(more["classes"], tuple(more["macs"]))


def _target(searches: Sequence[Line], scale: Scale) -> float:
    ours = _of(searches, "here") or [line for line in searches if line.job.system in TREES]
    return OF_FINAL * median(final(line.trained, scale) for line in ours)


def _searches(searches: Sequence[Line]) -> str:
    scale = _scale(searches)
    if scale is None:
        return "No study of Widefront is measured yet, whose axes the others are read by."
    target = _target(searches, scale)
    head = ["", "n", "seconds", "s of processors", "networks in full", "best accuracy",
            f"s to hypervolume {target:.3f}", "final hypervolume"]  # fmt: skip
    lines = {system: found for system in (*TREES, *SCRIPTS) if (found := _of(searches, system))}
    rows = [[_name(system), str(len(found)), *_row(found, scale, target)] for system, found in lines.items()]
    said = f"Hypervolume {target:.3f} is {OF_FINAL} of what Widefront came to in the median; `inf`: never reached."
    return f"{table(head, rows)}\n\n{said}"


def _row(found: Sequence[Line], scale: Scale, target: float) -> list[str]:
    seconds = [reached(line.trained, scale, target) for line in found]
    return [
        told([line.wall_s for line in found]),
        told([line.cpu_s for line in found]),
        told([len(line.trained) for line in found], 0),
        told([max((each.accuracy for each in line.trained), default=0.0) for line in found], 4),
        told(seconds),
        told([final(line.trained, scale) for line in found], 3),
    ]


def _contrasts(searches: Sequence[Line]) -> list[str]:
    """Return how much longer each other system takes, as ratios of geometric means with intervals of 95 %."""
    scale, ours = _scale(searches), _of(searches, "here")
    if scale is None or not ours:
        return []
    target = _target(searches, scale)
    asked: dict[str, Callable[[Line], float]] = {
        "seconds": lambda line: line.wall_s,
        "s of processors": lambda line: line.cpu_s,
        f"s to {target:.3f}": lambda line: reached(line.trained, scale, target),
        "hypervolume": lambda line: final(line.trained, scale),
    }
    rows = []
    for system in ("base", *SCRIPTS):
        if theirs := _of(searches, system):
            missed = sum(reached(line.trained, scale, target) == math.inf for line in theirs)
            ratios = [times(*(list(map(value, side)) for side in (theirs, ours)), 3 if name == "hypervolume" else 2)
                      for name, value in asked.items()]  # fmt: skip
            rows.append([_name(system), *ratios, f"{missed} of {len(theirs)}"])
    head = ["times Widefront's", *asked, "runs that missed it"]
    return [table(head, rows)] if rows else []


def _where(searches: Sequence[Line]) -> list[str]:
    """Return where the time of a launch goes: its course in seconds, and processor time by kind of process."""
    found = [system for system in TREES if _of(searches, system)]
    if not found:
        return []
    course: dict[str, Callable[[Line], float]] = {
        "from the command to the first epoch": lambda line: line.more["first_epoch_at"],
        "from the first epoch to the last": lambda line: line.more["last_epoch_at"] - line.more["first_epoch_at"],
        "from the last epoch to the end": lambda line: line.wall_s - line.more["last_epoch_at"],
        "epochs trained": lambda line: line.more["epochs"],
        "their seconds, summed over workers": lambda line: line.more["epochs_s"],
    }
    rows = [[name, *(told(list(map(value, _of(searches, each)))) for each in found)] for name, value in course.items()]
    kinds = {kind for line in searches if line.job.system in TREES for kind in line.cpu_by_kind}
    for kind in sorted(kinds, key=lambda kind: (kind != DRIVER, kind)):
        spent = [told([line.cpu_by_kind.get(kind, 0.0) for line in _of(searches, each)]) for each in found]
        rows.append([f"s of processors: {kind}", *spent])
    beside = [told([_beside_epochs(line) for line in _of(searches, each)]) for each in found]
    rows.append(["of the workers' beside their epochs (an epoch's seconds count as a processor's)", *beside])
    return ["Where a launch's time goes:", table(["", *map(_name, found)], rows)]


def _beside_epochs(line: Line) -> float:
    return max(0.0, line.cpu_by_kind.get(WORKERS, 0.0) - float(line.more["epochs_s"]))


def _parts(lines: Sequence[Line]) -> str:
    found = [system for system in TREES if _of(lines, system)]
    rows = []
    for what, name in WHATS.items():
        for unit, value in (("seconds", lambda line: line.wall_s), ("s of processors", lambda line: line.cpu_s)):
            each = [[value(line) for line in _of(lines, system) if line.job.what == what] for system in found]
            rows.append([f"{name}: {unit}", *map(told, each)])
    for key, name in (("rungs", "at rungs and at the end"), ("every", "after every epoch")):
        key = f"epoch_{key}_s"
        each = [[1000 * line.more[key] for line in _of(lines, system) if key in line.more] for system in found]
        rows.append([f"ms of an epoch of digits, measured {name} (mean of 3 networks)", *map(told, each)])
    return table(["", *map(_name, found)], rows)


if __name__ == "__main__":
    sys.stdout.write(page(read(Path(sys.argv[1]))))
