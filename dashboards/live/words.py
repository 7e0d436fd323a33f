"""Say in a sentence what happened."""

from collections.abc import Callable

from search.core.labels import name_of
from search.core.records import Event, EventKind, StudyRecord, TrialRecord
from search.core.units import format_number_of


def sentence(study: StudyRecord, event: Event, trial: TrialRecord | None) -> str:
    """Return what an event tells, with the network's name and what it showed where the trial is known.

    Args:
        study: whose it is.
        event: of any kind; of one that another version knows, its own words are shown.
        trial: the one that it names.
    """
    say = _SENTENCES.get(event.kind)
    told = say(study, event, trial) if say else " ".join(filter(None, (event.kind, event.text)))
    return told if event.trial is None else f"{_subject(event.trial, trial)} {told}"


def _subject(number: int, trial: TrialRecord | None) -> str:
    return f"trial {number}" + (f", {name_of(trial.architecture)}," if trial else "")


def _with_text(words: str) -> Callable[[StudyRecord, Event, TrialRecord | None], str]:
    return lambda _study, event, _trial: f"{words}: {event.text}" if event.text else words


def _measured(study: StudyRecord, event: Event, trial: TrialRecord | None) -> str:
    epoch = event.text.removeprefix("epoch ")
    found = None
    if trial and epoch.isdecimal() and 0 < int(epoch) <= trial.epochs:
        found = trial.measurements[int(epoch) - 1].get(study.task.headline)
    shown = "" if found is None else f" came to {100 * found:.2f} %"
    return f"after epoch {epoch} of {study.max_epochs}{shown}"


def _complete(study: StudyRecord, _event: Event, trial: TrialRecord | None) -> str:
    found = trial.shown.get(study.task.headline) if trial and trial.shown else None
    shown = "" if found is None else f": {study.objective(study.task.headline).title} {100 * found:.2f} %"
    return f"is fully trained ({format_number_of('epoch', study.max_epochs)}){shown}"


_SENTENCES: dict[str, Callable[[StudyRecord, Event, TrialRecord | None], str]] = {
    EventKind.LAUNCHED: lambda _study, event, _trial: f"launched ({event.text})",
    EventKind.PLANNED: lambda _study, event, _trial: f"{event.text} are planned",
    EventKind.BEGUN: lambda _study, _event, _trial: "has begun",
    EventKind.MEASURED: _measured,
    EventKind.RESTED: lambda _study, event, _trial: f"is paused {event.text.replace('at epoch', 'after epoch')}",
    EventKind.PROMOTED: lambda _study, event, _trial: f"goes on {event.text}",
    EventKind.PAUSED: lambda _study, event, _trial: f"waits for more budget {event.text.partition(':')[0]}",
    EventKind.RETRIED: _with_text("is tried again"),
    EventKind.COMPLETE: _complete,
    EventKind.STOPPED: _with_text("was stopped"),
    EventKind.FAILED: _with_text("failed"),
    EventKind.GROWN: _with_text("what may be proposed has changed"),
    EventKind.FRONT: lambda _study, event, _trial: f"is on the Pareto front, now of {event.text}",
    EventKind.CONFIRMED: _with_text("was trained once more"),
    EventKind.TESTED: lambda _study, event, _trial: f"the test split was looked at: {event.text}",
    EventKind.GROWN: lambda _study, event, _trial: f"the study has changed: {event.text}",
    EventKind.ASKED: lambda _study, event, _trial: f"asked: {event.text}",
    EventKind.HELD: lambda _study, _event, _trial: "the study is paused: nothing new begins",
    EventKind.RESUMED: lambda _study, _event, _trial: "the study goes on",
    EventKind.NOTICE: lambda _study, event, _trial: event.text,
}
