"""Show a study in its course: one live display on a terminal, plain lines anywhere else."""

import textwrap
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.text import Text

from search.core.environment import hide
from search.core.fronts import front_hypervolume
from search.core.labels import MOST_OF_REASON, failures_line, trial_line
from search.core.records import State, TrialRecord
from search.core.terminal import front_table
from search.core.units import format_duration, format_number_of
from search.driver.forecast import Forecast
from search.driver.screen import Screen
from search.study.retention import Checkpoints
from search.study.running import RunningStudy
from spaces.errors import visible

REFRESH_S = 0.25
SUMMARY_S = 30.0
NOTES = 3  # of what was said meanwhile, the newest that the drawing shows
LEAST_ROWS = 6  # for a table: its heading, how many are left out, the best


class Progress:
    """Draw a running study now and then; `update` is called often and does little."""

    def __init__(
        self,
        study: RunningStudy,
        console: Console,
        *,
        checkpoints: Checkpoints | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.study = study
        self.console = console
        self.checkpoints = checkpoints
        self.clock = clock
        self._told = study.ended  # trials that have ended and been told of
        self._drawn = -REFRESH_S
        self._crashed = len(study.trials.crashed)  # as was told last
        self._away = False  # the database, as was told last
        self._full = False  # the checkpoints' disk, as was told last
        self._forecast = Forecast(clock)
        self._left_s: float | None = None
        self._screen = Screen(console) if console.is_terminal and not console.is_dumb_terminal else None

    def __enter__(self) -> "Progress":
        if self._screen:
            self._screen.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        if self._screen:
            self._screen.stop()

    def update(self) -> None:
        """Draw what has changed, if it is time."""
        now, self._left_s = self.clock(), self._forecast.left_s(self.study)
        interval = REFRESH_S if self._screen else SUMMARY_S
        if not self._screen:
            self._tell_ended()
            self._tell_away()
        if now - self._drawn < interval:
            return
        self._drawn = now
        if self._screen:
            self._screen.draw(self._display(self._screen.said[-NOTES:]))
        else:
            self._print(self._summary())
            self._tell_crashed()

    def _tell_ended(self) -> None:
        ended = [self.study.trials[number] for number in self.study.trials.ended[self._told :]]
        self._told += len(ended)
        for trial in sorted(ended, key=_ended_at):
            self._print(self._line(trial))

    def _line(self, trial: TrialRecord) -> str:
        """Return what is said of a trial that has ended."""
        return trial_line(trial)

    def _summary(self) -> str:
        """Return one line: how it goes."""
        return summary(self.study, self.checkpoints, self._left_s)

    def _running(self) -> Text:
        """Return one line: what trains now."""
        return _running_line(self.study)

    def _tell_crashed(self) -> None:
        """Say of what workers died, whenever it is more of them."""
        crashed = len(self.study.trials.crashed)
        if crashed > self._crashed:
            self._print(failures_line(self.study.trials.crashed))
        self._crashed = crashed

    def _tell_away(self) -> None:
        """Let the summary, which says that database or disk is away, come at once, and tell that it is back."""
        away, full = self.study.outbox.away_s is not None, self.study.disk.full_s is not None
        if (away and not self._away) or (full and not self._full):
            self._drawn = -SUMMARY_S
        if self._away and not away:
            self._print("the database is back and has all that waited")
        if self._full and not full:
            self._print("the disk takes checkpoints again")
        self._away, self._full = away, full

    def _print(self, line: str) -> None:
        self.console.print(visible(hide(line)), markup=False, highlight=False, soft_wrap=True)

    def _display(self, said: Sequence[RenderableType]) -> Group:
        """Return what is shown: of the front as many as there is room for, and the best of it always."""
        front = self.study.trials.front
        least = min(LEAST_ROWS, len(front) + LEAST_ROWS - 2) if front else 1
        around = self._around(said)
        above, below = next((each for each in around if self._left(*each) >= least), around[-1])
        return Group(*above, self._table(front, self._left(above, below)), *below)

    def _around(self, said: Sequence[RenderableType]) -> list[tuple[list[RenderableType], list[RenderableType]]]:
        """Return what stands above and below the front: everything, then less for terminals of few rows."""
        study = self.study
        name, counts = Text(study.record.name, style="bold"), Text(self._summary())
        died = [Text(line, style="yellow")] if (line := failures_line(study.trials.crashed)) else []
        running = self._running()
        return [([name, counts, *died, running], list(said)), ([name, counts, running], []), ([counts], []), ([], [])]

    def _left(self, above: Sequence[RenderableType], below: Sequence[RenderableType]) -> int:
        """Return how many rows of the terminal something leaves."""
        lines = self.console.render_lines(Group(*above, *below), pad=False) if above or below else ()
        return self.console.height - len(lines)

    def _table(self, front: Sequence[TrialRecord], rows: int) -> RenderableType:
        if front:
            return front_table(self.study.record, front, width=self.console.width, rows=rows)
        full = format_number_of("epoch", self.study.record.max_epochs)
        return Text(f"no network has reached full fidelity ({full}) yet", style="dim")


def _ended_at(trial: TrialRecord) -> datetime:
    return trial.ended_at or datetime.min.replace(tzinfo=UTC)


def _running_line(study: RunningStudy) -> Text:
    newest = sorted(study.trials.running.difference(study.resting))[-8:]
    shown = ", ".join(f"{number} (epoch {study.trials[number].epochs})" for number in newest)
    rest = f"; {len(study.resting)} rest at a rung" if study.resting else ""
    return Text(f"running: {shown or 'none'}{rest}{_overdue(study)}", style="dim")


def _overdue(study: RunningStudy) -> str:
    """Return what is said of trials that give no sign of life, or take much longer than expected."""
    late = [f"{number} ({format_duration(late_s)})" for number, late_s in sorted(study.overdue.items())]
    return f"; overdue: {', '.join(late)}" if late else ""


def summary(study: RunningStudy, checkpoints: Checkpoints | None = None, left_s: float | None = None) -> str:
    """Return one line: trials by state, epochs, time, hypervolume where there is a front, checkpoints, time left."""
    count = study.trials.count
    limit = study.account.budget.trials
    trials = f"{study.ended}/{format_number_of('trial', limit)}" if limit else format_number_of("trial", study.ended)
    parts: tuple[str, ...] = (
        f"{trials}: {count[State.COMPLETE]} complete, {count[State.STOPPED]} stopped, "
        f"{count[State.FAILED]} failed; "
        f"{format_number_of('proposal', len(study.rejections))} rejected",
        f"{format_number_of('epoch', study.account.trained_epochs)} in {format_duration(study.account.studied_s)}",
    )
    front = study.trials.front
    parts += (f"hypervolume {front_hypervolume(study.record, front):.3f}",) if front else ()
    parts += (f"{len(study.resting)} rest",) if study.resting else ()
    parts += (_overdue(study).removeprefix("; "),) if study.overdue else ()
    parts += (_setbacks(study),) if study.setbacks else ()
    parts += tuple(
        f"{amount:.3g} of {limit:g} {name}"
        for name, amount, limit in study.account.budget.used(study.account.spending)
        if name != "trials"
    )
    parts += (checkpoints.shown,) if checkpoints and checkpoints.used_bytes is not None else ()
    if study.outbox.away_s is not None:
        parts = (f"DATABASE AWAY for {format_duration(study.outbox.away_s)} {study.outbox.waits}", *parts)
    if study.disk.full_s is not None:
        parts = (f"DISK FULL for {format_duration(study.disk.full_s)} ({study.disk.why}): nothing new begins", *parts)
    return " · ".join(parts if left_s is None else (*parts, f"about {_roughly(left_s)} left"))


def _roughly(seconds: float) -> str:
    """Return a time that is guessed: no tenths of seconds."""
    return f"{max(1, round(seconds))} s" if seconds < 59.5 else format_duration(seconds)


def _setbacks(study: RunningStudy) -> str:
    """Return how often a trial had to be tried again since the launch, and why the last time."""
    number, failure = study.setbacks[-1]
    why = textwrap.shorten(str(failure), MOST_OF_REASON, placeholder=" [...]")
    return f"{format_number_of('worker', len(study.setbacks))} failed a trial, the last trial {number} ({why})"
