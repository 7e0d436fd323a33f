"""Tell what kind of failure Ray's account of an error means."""

import re
from collections.abc import Callable
from pathlib import Path

from ray.exceptions import (
    ActorUnavailableError,
    NodeDiedError,
    OutOfMemoryError,
    RayActorError,
    RayError,
    RayTaskError,
)

from spaces.errors import TrialFailure
from workers.failures import classify
from workers.kinds import FailureKind


def failure_of(
    error: BaseException | None, killed: Callable[[str], bool] = lambda _address: False, traceback: str = ""
) -> TrialFailure:
    """Return the failure that Ray's account of an error means; whatever no worker reported is a lost worker.

    A worker that was ended for the machine's memory is a kind of its own: Ray and the kernel choose whom they end, and
    another trial may have filled it. So is a crash of native code, which leaves a traceback: Ray itself cannot tell it
    from a SIGKILL.

    Args:
        error: as Tune got it from Ray.
        killed: whether the kernel of the machine at an address ended a process for memory just now.
        traceback: what a signal made the worker write as it died.
    """
    if isinstance(error, RayTaskError):
        raised = _raised(error)
        ended = raised.kind in (FailureKind.LOST, FailureKind.TOGETHER)  # perhaps the engine that it trained in
        line = native_line(traceback) if ended else ""
        return TrialFailure(FailureKind.NATIVE_CRASH, line, f"{traceback}\n{raised}") if line else raised
    told = error.__cause__ if isinstance(error, RayActorError) and error.__cause__ else error
    if isinstance(told, OutOfMemoryError):
        return TrialFailure(FailureKind.KILLED, _memory_line(str(told)), str(told))
    if isinstance(told, RayActorError) and (line := native_line(traceback)):
        return TrialFailure(FailureKind.NATIVE_CRASH, line, f"{traceback}\n{told}")
    if isinstance(told, RayActorError) and _may_be_killed(told):
        address = _found(r"^\s*ip: (\S+)", str(told))
        if address and killed(address):
            return TrialFailure(FailureKind.KILLED, f"the kernel of {address} ended its worker for memory", str(told))
    kind = FailureKind.PREEMPTED if isinstance(told, RayActorError) and told.preempted else FailureKind.LOST
    return TrialFailure(kind, _lost_line(told), str(told or ""))


SIGNALS = {
    "Segmentation fault": "SIGSEGV", "Aborted": "SIGABRT", "Bus error": "SIGBUS", "Illegal instruction": "SIGILL",
    "Floating-point exception": "SIGFPE", "Floating point exception": "SIGFPE",
}  # fmt: skip


def native_line(traceback: str) -> str:
    """Return one line for what Python's fault handler wrote: the signal, and where; nothing where it wrote nothing."""
    said = _found(r"^Fatal Python error: (.*)$", traceback)
    if said is None:
        return ""
    found = re.search(r'^\s+File "([^"]*)", line (\d+) in (\S+)$', traceback, re.MULTILINE)
    where = f" in {found[3]} ({Path(found[1]).name}, line {found[2]})" if found else ""
    return f"{SIGNALS.get(said, said)}{where}"


def _raised(error: RayTaskError) -> TrialFailure:
    """Return what a worker raised; what Ray itself raised there is the machine's fault."""
    cause = error.cause
    if isinstance(cause, TrialFailure):
        return cause
    if isinstance(cause, RayError) or not isinstance(cause, Exception):
        return TrialFailure(FailureKind.LOST, f"{type(cause).__name__}: {_first_line(cause)}", error.traceback_str)
    failure = classify(cause)
    return TrialFailure(failure.kind, failure.message, error.traceback_str)


def _may_be_killed(error: RayActorError) -> bool:
    """Whether the worker died without a word: not with its node, nor by an exit of which Ray knows the code."""
    known = error.preempted or error.actor_init_failed or isinstance(error, ActorUnavailableError)
    return not known and "exit code" not in str(error) and "node has died" not in str(error)


def _memory_line(said: str) -> str:
    usage = _found(r"was ([\d.]+\w+ used / [\d.]+\w+) limit", said)
    return f"Ray ended its worker for the machine's memory{f': {usage}' if usage else ''}"


def _lost_line(error: BaseException | None) -> str:
    """Return one line: who died where, and how, as far as Ray can tell."""
    said = str(error or "")
    pid, address = _found(r"^\s*pid: (\d+)", said), _found(r"^\s*ip: (\S+)", said)
    worker = f"worker {pid} on {address}" if pid and address else "its worker"
    if isinstance(error, RayActorError) and error.preempted:
        return f"the node of {worker} was taken away"
    if isinstance(error, NodeDiedError) or "node has died" in said:
        return f"the node of {worker} died"
    if isinstance(error, RayActorError) and error.actor_init_failed:
        return f"its worker could not begin: {(said.strip().splitlines() or ['no error message'])[-1].strip()}"
    if "connection error code" in said:
        return f"{worker} died without a word: killed, or crashed in native code"
    if detail := _found(r"Worker exit detail: (.*)", said):
        return f"{worker} died: {detail}"
    return _first_line(error)


def _found(pattern: str, said: str) -> str | None:
    found = re.search(pattern, said, re.MULTILINE)
    return found[1] if found else None


def _first_line(error: BaseException | None) -> str:
    lines = str(error or "").strip().splitlines()
    return lines[0] if lines else "worker exited without an error"
