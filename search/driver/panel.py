"""Say on a terminal how a study stands, each thing in its own place: epochs and time, trials, the best, workers."""

from collections.abc import Callable, Sequence

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from search.core.labels import name_of
from search.core.records import State, TrialRecord
from search.core.units import format_count, format_duration, format_percent
from search.driver.forecast import Range, epochs_in_all
from search.study.running import RunningStudy
from workers.tasks import CLASSIFICATION

BAR = 24  # characters
WORKERS = 6  # that have a line each
NAMED = 22  # characters of a network's name
ALIKE = 1.2  # ends of a range of time that differ by less are one


def epochs_line(study: RunningStudy, left: Range | None) -> Text:
    """Return how many epochs are trained and planned, as a bar, and the time that is left."""
    trained, planned = study.account.trained_epochs, _planned(study)
    told = f"{trained} epochs" if planned is None else f"{trained} of about {max(planned, trained)} epochs"
    bar = "" if planned is None else f"{_bar(trained / max(planned, trained, 1), BAR)} "
    return Text(
        " · ".join(filter(None, (f"{bar}{told} in {format_duration(study.account.studied_s)}", left_text(left))))
    )


def _planned(study: RunningStudy) -> int | None:
    limit = epochs_in_all(study)
    return None if limit is None else round(limit)


def left_text(left: Range | None) -> str:
    """Return a range of time, or one that is about right, or nothing where nobody knows."""
    if left is None:
        return ""
    low, high = left
    if high <= ALIKE * low or roughly(low) == roughly(high):
        return f"about {roughly(high)} left"
    first, last = roughly(low), roughly(high)
    unit = last.rpartition(" ")[2]
    alike = first.count(" ") == last.count(" ") == 1 and first.endswith(f" {unit}")
    return f"{first.removesuffix(f' {unit}') if alike else first} to {last} left"


def roughly(seconds: float) -> str:
    """Return a time that is guessed: no tenths of seconds."""
    return f"{max(1, round(seconds))} s" if seconds < 59.5 else format_duration(10 * round(seconds / 10))


def trials_line(study: RunningStudy) -> Text:
    """Return how many trials stand where."""
    count, limit = study.trials.count, study.account.budget.trials
    begun = f"{len(study.trials)}{f' of {limit}' if limit else ''} trials"
    full = study.record.max_epochs
    places = [
        (len(study.at_work), "training"),
        (len(study.resting), "paused at a rung"),
        (count[State.STOPPED], "stopped early"),
        (count[State.COMPLETE], f"fully trained ({full} epoch{'s' if full > 1 else ''})"),
        (count[State.FAILED], "failed"),
    ]
    told = ", ".join(f"{number} {word}" for number, word in places if number) or "none begun"
    rejected = f" · {len(study.rejections)} proposals rejected" if study.rejections else ""
    return Text(f"{begun}: {told}{rejected}")


def best_line(front: Sequence[TrialRecord]) -> Text:
    """Return the most accurate network of a front, the best last."""
    if not front:
        return Text("")
    best = front[-1]
    shown = best.found.get(CLASSIFICATION.headline) if best.found else None
    reached = "" if shown is None else f"{format_percent(shown)} "
    return Text(f"best {reached}by {name_of(best.architecture)} (trial {best.number}), "
                f"{format_count(best.cost.params)} params, {format_count(best.cost.macs)} macs")  # fmt: skip


def worker_lines(study: RunningStudy, slots: int, named: Callable[[TrialRecord], str]) -> list[Text]:
    """Return a line for each trial that trains, in as many lines whoever they are, so that what is below stays.

    Args:
        study: that runs.
        slots: lines; those that are too many are counted in the last.
        named: what a trial is called.
    """
    at_work = sorted(study.at_work)
    room = slots if len(at_work) <= slots else slots - 1
    lines = [_worker(study, study.trials[number], named) for number in at_work[:room]]
    if len(at_work) > room:
        lines.append(Text(f"… and {len(at_work) - room} more train", style="dim"))
    return lines + [Text("") for _ in range(slots - len(lines))]


def _worker(study: RunningStudy, trial: TrialRecord, named: Callable[[TrialRecord], str]) -> Text:
    full, done = study.record.max_epochs, trial.epochs
    name = named(trial)
    name = name if cell_len(name) <= NAMED + 6 else f"{set_cell_size(name, NAMED + 5)}…"
    shown = trial.shown.get(CLASSIFICATION.headline) if trial.shown else None
    reached = format_percent(shown) if shown is not None else ""
    late = study.overdue.get(trial.number)
    when = f"overdue by {format_duration(late)}" if late else _when(trial, full - done)
    line = f"{set_cell_size(name, NAMED + 6)}  {f'{done}/{full}':>7} {_bar(done / full, 10)} {reached:>8}  {when}"
    return Text(line.rstrip(), style="yellow" if late else "")


def _when(trial: TrialRecord, left: int) -> str:
    """Return the time of an epoch, and of the rest of a full training."""
    if not trial.measurements:
        return "in its first epoch"
    each = sum(measurement.wall_s for measurement in trial.measurements) / trial.epochs
    return f"{format_duration(each)} an epoch, in full in {roughly(each * left)}"


def _bar(share: float, width: int) -> str:
    full = round(width * min(max(share, 0.0), 1.0))
    return "━" * full + "─" * (width - full)
