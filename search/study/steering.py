"""Do what people ask of a running study. Each of these may be asked twice, and the second time changes nothing.

All return the answer in one line; None means that it is not done yet, and is to be asked for again.

Raises:
    InputError: it cannot be done, and why.
"""

from collections.abc import Mapping
from dataclasses import replace

from search.core.budget import Budget
from search.core.records import EventKind, State, TrialRecord
from search.core.units import format_number_of
from search.samplers.proposer import Asked, Proposer
from search.study.running import RunningStudy
from spaces.domains import Scalar
from spaces.errors import InputError

STOPPED_BY = "stopped by request"  # what the reason of a trial that a person stopped begins with


def pause(running: RunningStudy) -> str:
    """Let nothing new begin and nothing be promoted; what trains goes on to its next rung and waits there."""
    if running.wishes.held:
        return "it is paused already"
    running.wishes.held = True
    running.tell(EventKind.HELD, "")
    at_work = len(running.at_work)
    rest = f"{format_number_of('trial', at_work)} at work {'goes' if at_work == 1 else 'go'} on to the next rung"
    return f"nothing new begins{f'; {rest}' if at_work else ''}"


def resume(running: RunningStudy) -> str:
    """Let everything go on that a pause has kept."""
    if not running.wishes.held:
        return "it is not paused"
    running.wishes.held = False
    running.tell(EventKind.RESUMED, "")
    for number, epoch in running.wishes.waiting.items():
        running.tell(EventKind.PROMOTED, f"from epoch {epoch}", number)
    running.wishes.waiting.clear()
    return "the study goes on"


def end(running: RunningStudy) -> str:
    """Let the launch end, as a signal would."""
    running.wishes.ended = True
    return "the launch ends; its command goes on with the study"


def stop(running: RunningStudy, number: int) -> str | None:
    """Stop a trial: at once where it waits, else at its next epoch."""
    trial = _trial(running, number)
    if trial.state is State.STOPPED and STOPPED_BY in trial.reason:
        return f"trial {number} is stopped"
    if trial.state is not State.RUNNING:
        raise InputError(f"trial {number} is {trial.state} already")
    if number in running.elsewhere:
        return None
    if number in running.at_work:
        running.wishes.stopping[number] = STOPPED_BY
        return None
    running.queue.discard(number)
    running.paused.discard(number)
    running.resting.pop(number, None)
    running.wishes.waiting.pop(number, None)
    running.wishes.stopping.pop(number, None)
    running.end(replace(trial, state=State.STOPPED, reason=f"epoch {trial.epochs}: {STOPPED_BY}"))
    return f"trial {number} is stopped"


def promote(running: RunningStudy, number: int) -> str | None:
    """Let a trial that rests at a rung go on as soon as a worker is free, before all that waits."""
    trial = _trial(running, number)
    if number in running.elsewhere:
        return None
    if trial.state is not State.RUNNING:
        raise InputError(f"trial {number} is {trial.state} already and does not go on; search.retrain trains it again")
    if running.cut_off or number in running.paused:
        raise InputError("the budget is spent; add to it first")
    if number not in running.resting:
        told = "waits for the study to go on" if running.wishes.held else "goes on already"
        raise InputError(f"trial {number} does not rest at a rung: it {told}")
    epoch = running.resting.pop(number)
    running.wishes.lifted[number] = epoch
    running.tell(EventKind.PROMOTED, f"from epoch {epoch}, by request", number)
    running.queue.put_first(number)
    return f"trial {number} goes on from epoch {epoch} when a worker is free"


def grow(running: RunningStudy, budget: Budget) -> None:
    """Give the study another budget, and let go on what rests for want of one."""
    running.account.budget = budget
    if running.cut_off:
        return
    for number in sorted(running.paused & running.trials.running):
        running.paused.discard(number)
        running.tell(EventKind.PROMOTED, f"from epoch {running.trials[number].epochs}", number)
        running.queue.put(number)


def train(running: RunningStudy, params: Mapping[str, Scalar]) -> Asked | str:
    """Propose these values next; return what is proposed, or that a trial has them."""
    proposer = running.proposer
    if not isinstance(proposer, Proposer):
        raise InputError("nothing can be asked for while seeds are trained")
    asked = proposer.ask_for(params)
    if (same := running.trials.known.get(asked.identity)) is not None:
        return f"trial {same} trains this network"
    if running.exhausted:
        raise InputError("nothing new is left to propose, and the study ends with what trains")
    if running.account.budget_spent:
        raise InputError("the budget is spent; add to it first")
    proposer.put_ahead(asked)
    return asked


def trained(running: RunningStudy, asked: Asked, since: int) -> str | None:
    """Return which trial has the values that were asked for, or None as long as none has begun.

    Args:
        running: the study.
        asked: the values.
        since: how many proposals had been rejected when they were asked for.
    """
    if (number := running.trials.known.get(asked.identity)) is not None:
        return f"trial {number} trains this network"
    for rejection in running.rejections[since:]:
        if dict(rejection.params) == asked.params:
            raise InputError(rejection.reason)
    return None


def _trial(running: RunningStudy, number: int) -> TrialRecord:
    if number not in running.trials:
        running.hear()  # of a trial that another launch has just begun
    if number not in running.trials:
        raise InputError(f"there is no trial {number}")
    return running.trials[number]
