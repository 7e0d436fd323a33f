"""What a study found when it ends: the front, where the time went, where to look next."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from search.config.study import StudyConfig
from search.core.commands import command, tool
from search.core.confirmation import Confidence, confirmation_lines
from search.core.environment import hide, variables
from search.core.fronts import front_hypervolume, front_trials
from search.core.labels import failures_line, outside_line
from search.core.records import State, TrialRecord
from search.core.terminal import front_table
from search.core.units import format_duration, format_number_of
from search.storage.url import holds_secret, shown_url
from search.study.retention import Checkpoints
from search.study.running import RunningStudy
from spaces.errors import InputError, visible
from workers.measurement import ALONE


def show_found(running: RunningStudy, config: StudyConfig, console: Console, trials: list[TrialRecord]) -> None:
    """Print the front as a table, what became of the trials, and the split of the time.

    Args:
        running: the study.
        config: its file.
        console: where to print.
        trials: the study's as they are known now, as networks may have been confirmed since.
    """
    front = front_trials(running.record, trials)
    size, full = format_number_of("network", len(front)), format_number_of("epoch", running.record.max_epochs)
    console.print(f"[bold]{config.study}[/]: Pareto front of {size}, fully trained ({full})")
    if front:
        console.print(front_table(running.record, front, width=console.width))
    for line in confirmation_lines(Confidence(running.record, trials)):
        _line(console, line)
    _line(console, _counts(running, front_hypervolume(running.record, trials)))
    for line in filter(None, (_beside(running, front), outside_line(trials), failures_line(trials))):
        _line(console, line)
    if running.account.spent.startup_s:
        _line(console, time_split(running))
    _line(console, checkpoints_line(running, config))


def show_further(
    running: RunningStudy, config: StudyConfig, console: Console, trials: list[TrialRecord], report: Path | None
) -> None:
    """Print where the report is, if it was written, and the commands to look further."""
    if report:
        _line(console, f"report: {report.absolute()}")
    storage = quoted(config)
    if front := front_trials(running.record, trials):
        best = f"--study {config.study} --trial {front[-1].number} -o folder"
        _line(console, f"take one with you: {command('search.export')} {storage} {best}")
    _line(console, f"again: {command('search.front')} {storage} --study {config.study}")
    _line(console, f"on a page: {command('dashboards.live')} {storage} --study {config.study}")
    _line(console, f"more: {tool('optuna-dashboard')} {storage}")


def _line(console: Console, line: str) -> None:
    console.print(visible(hide(line)), markup=False, highlight=False, soft_wrap=True)


def quoted(config: StudyConfig) -> str:
    """Return the storage as a shell takes it: what was written as `${NAME}` stays so, for the shell to look up."""
    written = typed(config)
    return f'"{written}"' if variables(written) else shlex.quote(written)


def typed(config: StudyConfig) -> str:
    """Return the storage as it was written where that is `${NAME}` and holds no secret, else without its password."""
    written = config.storage_text
    return written if variables(written) and not holds_secret(written) else shown_url(config.storage)


def _counts(running: RunningStudy, hypervolume: float) -> str:
    trials = list(running.trials.values())
    count = {state: sum(trial.state is state for trial in trials) for state in State}
    resting = count[State.RUNNING] - len(running.elsewhere)
    waiting = f", {resting} waiting for more budget" if resting else ""
    waiting += f", {len(running.elsewhere)} with another launch" if running.elsewhere else ""
    full = format_number_of("epoch", len(trials) * running.record.max_epochs)
    return (
        f"{format_number_of('trial', len(trials))}: {count[State.COMPLETE]} complete, "
        f"{count[State.STOPPED]} stopped early, {count[State.FAILED]} failed{waiting}; "
        f"{format_number_of('proposal', len(running.rejections))} rejected before training; "
        f"{sum(trial.epochs for trial in trials)} of {full} trained"
        + (f"; hypervolume {hypervolume:.3f}" if count[State.COMPLETE] else "")
    )


def _beside(running: RunningStudy, front: Sequence[TrialRecord]) -> str:
    """Return one line where latencies of the front were measured beside other trainings, or nobody knows."""
    if "latency_ms" not in running.record.objectives:
        return ""
    found = [trial.found for trial in front]
    beside = sum(each is None or each.get(ALONE) != 1 for each in found)
    share = f"{beside} of the front's {format_number_of('network', len(front))}"
    return f"warning: the latency of {share} was not measured with the device alone" if beside else ""


def checkpoints_line(running: RunningStudy, config: StudyConfig) -> str:
    """Return one line: what the checkpoints take and where, and whose weights went for their limit."""
    try:
        held = Checkpoints.of(config, running.record)
        held.look()
    except (InputError, OSError) as error:
        return f"checkpoints cannot be looked at: {error}"
    front = {trial.number for trial in front_trials(running.record, list(running.trials.values()))}
    gone = len(front & held.over_limit)
    tail = f"; {format_number_of('network', gone)} of the front without weights, for that limit" if gone else ""
    return f"{held.shown} in {held.folder}{tail}"


def time_split(running: RunningStudy) -> str:
    """Return one line: where the seconds of this launch went."""
    spent, running_s = running.account.spent, running.account.running_s
    return (
        f"this launch: start-up {format_duration(spent.startup_s)}, then {format_duration(running_s)} for "
        f"proposing {format_duration(spent.proposing_s)}, recording {format_duration(spent.recording_s)}, "
        f"training {format_duration(spent.training_s)} summed over workers"
    )
