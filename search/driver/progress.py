"""Show a study in its course: one live display on a terminal, plain lines anywhere else."""

import textwrap
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.text import Text

from search.core.environment import hide
from search.core.fronts import front_hypervolume
from search.core.labels import MOST_OF_REASON, failures_line, name_of, trial_line
from search.core.records import State, StudyRecord, TrialRecord
from search.core.terminal import front_table
from search.core.units import format_duration, format_number_of
from search.driver.forecast import Forecast, Range
from search.driver.panel import WORKERS, best_line, epochs_line, left_text, trials_line, worker_lines
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
        self._range: Range | None = None
        self._slots = 0  # lines for workers: as many as there have been, so that nothing below them moves
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
        now = self.clock()
        self._forecast.hear(self.study)
        interval = REFRESH_S if self._screen else SUMMARY_S
        if not self._screen:
            self._tell_ended()
            self._tell_away()
        if now - self._drawn < interval:
            return
        self._drawn, self._range = now, self._forecast.range_s(self.study)
        if self._screen:
            self._screen.draw(self._display(self._screen.said[-NOTES:]))
        else:
            self._print(self._summary())
            self._print(self._at_work())
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
        return summary(self.study, self.checkpoints, self._range)

    def _at_work(self) -> str:
        """Return one line: what trains now."""
        return at_work_line(self.study)

    def _named(self, trial: TrialRecord) -> str:
        """Return what a trial is called in its worker's line."""
        return f"{trial.number:>4}  {name_of(trial.architecture)}"

    def _standing(self) -> list[Text]:
        """Return the lines that say how the study stands."""
        return [epochs_line(self.study, self._range), trials_line(self.study), best_line(self.study.trials.front)]

    def _workers(self) -> list[Text]:
        self._slots = min(max(self._slots, len(self.study.at_work), 1), WORKERS)
        return worker_lines(self.study, self._slots, self._named)

    def _last(self) -> list[Text]:
        """Return what happened last."""
        ended = self.study.trials.ended
        line = self._line(self.study.trials[ended[-1]]) if ended else "no trial has ended yet"
        return [Text(visible(hide(line)), style="dim", no_wrap=True, overflow="ellipsis")]

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
        name, standing, workers = Text(self.study.record.name, style="bold"), self._standing(), self._workers()
        odd = [*(Text(line, style="yellow") for line in self._odd()), *map(Text, self._spending())]
        whole = [name, *standing, *odd, *workers]
        return [
            ([*whole, *self._last()], list(said)), ([*whole, *self._last()], []), (list(whole), []),
            ([name, *standing, *odd], []), (list(standing[:2]), []), (list(standing[:1]), []), ([], []),
        ]  # fmt: skip

    def _odd(self) -> list[str]:
        """Return a line for each thing that is not as it should be."""
        others = (failures_line(self.study.trials.crashed), _tried_again(self.study))
        return [*_away(self.study), *filter(None, others)]

    def _spending(self) -> list[str]:
        """Return a line where anything is spent of money or room."""
        return list(filter(None, [" · ".join(_spent(self.study, self.checkpoints))]))

    def _left(self, above: Sequence[RenderableType], below: Sequence[RenderableType]) -> int:
        """Return how many rows of the terminal something leaves."""
        lines = self.console.render_lines(Group(*above, *below), pad=False) if above or below else ()
        return self.console.height - len(lines)

    def _table(self, front: Sequence[TrialRecord], rows: int) -> RenderableType:
        if front:
            return titled_table(self.study.record, front, self.console.width, rows)
        full = format_number_of("epoch", self.study.record.max_epochs)
        return Text(f"the Pareto front is empty: no network is fully trained ({full}) yet", style="dim")


def titled_table(study: StudyRecord, front: Sequence[TrialRecord], width: int, rows: int) -> RenderableType:
    """Return a front, the best of it last, as a table that begins with the best; with a title where there is room."""
    if rows <= LEAST_ROWS:
        return front_table(study, front[::-1], width=width, rows=rows)
    title = Text(f"Pareto front of {format_number_of('network', len(front))}", style="bold")
    return Group(title, front_table(study, front[::-1], width=width, rows=rows - 1))


def _ended_at(trial: TrialRecord) -> datetime:
    return trial.ended_at or datetime.min.replace(tzinfo=UTC)


def at_work_line(study: RunningStudy) -> str:
    """Return one line: what trains now, and how far it is."""
    full = study.record.max_epochs
    newest = sorted(study.at_work)[-8:]
    shown = [f"{n} {name_of(study.trials[n].architecture)} ({study.trials[n].epochs}/{full})" for n in newest]
    more = f" and {len(study.at_work) - len(newest)} more" if len(study.at_work) > len(newest) else ""
    late = [f"{number} ({format_duration(late_s)})" for number, late_s in sorted(study.overdue.items())]
    return f"training: {', '.join(shown) or 'none'}{more}{f'; overdue: {chr(44).join(late)}' if late else ''}"


def summary(study: RunningStudy, checkpoints: Checkpoints | None = None, left: Range | None = None) -> str:
    """Return one line: trials by state, epochs, time, hypervolume where there is a front, checkpoints, time left."""
    count = study.trials.count
    limit = study.account.budget.trials
    trials = f"{study.ended}/{format_number_of('trial', limit)}" if limit else format_number_of("trial", study.ended)
    parts = [
        *_away(study),
        f"{trials}: {count[State.COMPLETE]} complete, {count[State.STOPPED]} stopped, "
        f"{count[State.FAILED]} failed; "
        f"{format_number_of('proposal', len(study.rejections))} rejected",
        f"{format_number_of('epoch', study.account.trained_epochs)} in {format_duration(study.account.studied_s)}",
    ]
    front = study.trials.front
    parts += [f"hypervolume {front_hypervolume(study.record, front):.3f}"] if front else []
    parts += [f"{len(study.resting)} paused at a rung"] if study.resting else []
    parts += [*filter(None, (_tried_again(study),)), *_spent(study, checkpoints)]
    return " · ".join(filter(None, (*parts, left_text(left))))


def _spent(study: RunningStudy, checkpoints: Checkpoints | None) -> list[str]:
    """Return what is spent of budgets other than trials, and of the room for checkpoints."""
    used = study.account.budget.used(study.account.spending)
    spent = [f"{amount:.3g} of {limit:g} {name}" for name, amount, limit in used if name != "trials"]
    return spent + ([checkpoints.shown] if checkpoints and checkpoints.used_bytes is not None else [])


def _away(study: RunningStudy) -> list[str]:
    """Return what keeps the study waiting."""
    full_s, away_s = study.disk.full_s, study.outbox.away_s
    found = ["PAUSED by request: nothing new begins"] if study.wishes.held else []
    if full_s is not None:
        found.append(f"DISK FULL for {format_duration(full_s)} ({study.disk.why}): nothing new begins")
    if away_s is not None:
        found.append(f"DATABASE AWAY for {format_duration(away_s)} {study.outbox.waits}")
    return found


def _tried_again(study: RunningStudy) -> str:
    """Return how often a trial had to be tried again since the launch, and why the last time."""
    if not study.setbacks:
        return ""
    number, failure = study.setbacks[-1]
    why = textwrap.shorten(str(failure), MOST_OF_REASON, placeholder=" [...]")
    return f"{format_number_of('worker', len(study.setbacks))} failed a trial, the last trial {number} ({why})"
