"""Show a study in its course: one live display on a terminal, plain lines anywhere else."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from search.fronts import front_hypervolume, front_trials
from search.labels import front_table, trial_line
from search.running import RunningStudy
from search.trial import State, TrialRecord
from search.units import format_duration

REFRESH_S = 0.25
SUMMARY_S = 30.0


class Progress:
    """Draw a running study now and then; `update` is called often and does little."""

    def __init__(self, study: RunningStudy, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.study = study
        self.console = console
        self.clock = clock
        self._told = {number for number, trial in study.trials.items() if trial.state is not State.RUNNING}
        self._drawn = -REFRESH_S
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None

    def __enter__(self) -> "Progress":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        if self._live:
            self._live.stop()

    def update(self) -> None:
        """Draw what has changed, if it is time."""
        now = self.clock()
        interval = REFRESH_S if self._live else SUMMARY_S
        if not self._live:
            self._tell_ended()
        if now - self._drawn < interval:
            return
        self._drawn = now
        if self._live:
            self._live.update(self._display(), refresh=True)
        else:
            self._print(summary(self.study))

    def _tell_ended(self) -> None:
        ended = [t for n, t in self.study.trials.items() if t.state is not State.RUNNING and n not in self._told]
        for trial in sorted(ended, key=_ended_at):
            self._told.add(trial.number)
            self._print(trial_line(trial))

    def _print(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _display(self) -> Group:
        study = self.study
        front = front_trials(study.record, list(study.trials.values()))
        table = front_table(study.record, front, width=self.console.width)
        nobody = Text(f"no network has reached full fidelity ({study.record.max_epochs} epochs) yet", style="dim")
        return Group(
            Text(study.record.name, style="bold"),
            Text(summary(study)),
            _running_line(study),
            table if front else nobody,
        )


def _ended_at(trial: TrialRecord) -> datetime:
    return trial.ended_at or datetime.min.replace(tzinfo=UTC)


def _running_line(study: RunningStudy) -> Text:
    running = [trial for trial in study.trials.values() if trial.state is State.RUNNING]
    shown = ", ".join(f"{trial.number} (epoch {trial.epochs})" for trial in running[-8:])
    return Text(f"running: {shown or 'none'}", style="dim")


def summary(study: RunningStudy) -> str:
    """Return one line: trials by state, epochs, time, hypervolume, time left."""
    trials = list(study.trials.values())
    count = {state: sum(trial.state is state for trial in trials) for state in State}
    epochs = sum(trial.epochs for trial in trials)
    limit = f"/{study.budget.trials}" if study.budget.trials else ""
    parts: tuple[str, ...] = (
        f"{study.ended}{limit} trials: {count[State.COMPLETE]} complete, {count[State.STOPPED]} stopped, "
        f"{count[State.FAILED]} failed; {len(study.rejections)} proposals rejected",
        f"{epochs} epochs in {format_duration(study.seconds)}",
        f"hypervolume {front_hypervolume(study.record, trials):.3f}",
    )
    parts += tuple(
        f"{amount:.3g} of {limit:g} {name}"
        for name, amount, limit in study.budget.used(study.spending)
        if name in ("gpu_hours", "cost")
    )
    if study.outbox.away_s is not None:
        waiting = f"{len(study.outbox.journal)} records wait in {study.outbox.journal.path}"
        parts = (f"DATABASE AWAY for {format_duration(study.outbox.away_s)} ({study.outbox.why}): {waiting}", *parts)
    left = remaining_s(study)
    return " · ".join(parts if left is None else (*parts, f"about {format_duration(left)} left"))


def remaining_s(study: RunningStudy) -> float | None:
    """Return a guess of the time left: of each budget by its own pace, the one that ends first."""
    done = replace(study.spending, trials=study.ended)
    seconds = done.hours * 3600
    guesses = [seconds * (limit - amount) / amount for _, amount, limit in study.budget.used(done) if amount]
    return max(0.0, min(guesses)) if guesses else None
