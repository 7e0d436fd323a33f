"""What people ask of a study beside its file: requests, which its launch answers, and notes, which nobody has to.

A request is asked by one row and answered once. What has to outlive the launch that answered it stands in `effect`.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from search.core.units import format_number_of
from spaces.domains import Scalar
from spaces.errors import InputError, unknown

MOST_TEXT = 2_000  # characters of a note
MOST_ADDED = 10**9  # of anything at once
ADDED = {"trials": int, "epochs": int, "hours": float, "gpu_hours": float, "cost": float}  # as `search.core.budget`


class RequestKind(StrEnum):
    """What can be asked of a launch."""

    PAUSE = "pause"
    RESUME = "resume"
    END = "end"
    STOP = "stop"  # a trial
    PROMOTE = "promote"  # a trial that rests at a rung
    ADD = "add"  # to the budget
    TRAIN = "train"  # values next


OF_A_LAUNCH = frozenset({RequestKind.PAUSE, RequestKind.RESUME, RequestKind.END})  # a later one has nothing to do with
OF_A_TRIAL = frozenset({RequestKind.STOP, RequestKind.PROMOTE})


class RequestState(StrEnum):
    """Where a request stands."""

    WAITING = "waiting"
    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody has asked, and what was answered."""

    kind: str  # a RequestKind, or another version's
    asked_at: datetime  # UTC
    values: Mapping[str, Any] = field(default_factory=dict)
    by: str = ""  # who asked, as far as that is known
    session: int | None = None  # the launch that lived then
    id: int = -1  # given by the database
    state: RequestState = RequestState.WAITING
    answer: str = ""  # one line
    answered_at: datetime | None = None  # UTC
    effect: Mapping[str, Any] = field(default_factory=dict)  # what later launches have to know of it

    def __str__(self) -> str:
        """Return what is asked: `stop trial 18`."""
        return told(self.kind, self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What somebody has noted of a trial; the latest star and the latest text are those that hold."""

    trial: int
    at: datetime  # UTC
    star: bool | None = None  # None: nothing is said of it
    text: str | None = None  # None: nothing is said of it; empty takes it away
    by: str = ""
    id: int = -1  # given by the database


def told(kind: str, values: Mapping[str, Any]) -> str:
    """Return what is asked, in a few words."""
    if kind in OF_A_TRIAL:
        return f"{kind} trial {values.get('trial')}"
    if kind == RequestKind.ADD:
        return f"add {', '.join(amount(name, number) for name, number in values.items())}"
    if kind == RequestKind.TRAIN:
        params = values.get("params")
        named = params.items() if isinstance(params, Mapping) else ()
        return f"train {', '.join(f'{name}={value}' for name, value in named)}"
    return kind


def amount(name: str, number: float) -> str:
    """Return so much of a budget: `20 trials`, `1.5 hours`."""
    if name in ("trials", "epochs"):
        return format_number_of(name.removesuffix("s"), int(number))
    return f"{number:g} {name.replace('_', ' ').replace('gpu', 'GPU')}"


def checked(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a request, of the kinds that it needs and no others.

    Raises:
        InputError: they are not such; whether the study allows them is asked elsewhere.
    """
    if kind not in set(RequestKind):
        raise InputError(unknown("request", kind, [each.value for each in RequestKind]))
    if kind in OF_A_TRIAL:
        return {"trial": trial_number(_only(kind, values, "trial")["trial"])}
    if kind == RequestKind.ADD:
        return _amounts(_only(kind, values, *ADDED))
    if kind == RequestKind.TRAIN:
        return {"params": _scalars(_only(kind, values, "params").get("params"))}
    return _only(kind, values)


def _only(kind: str, values: Mapping[str, Any], *known: str) -> dict[str, Any]:
    for name in values:
        if name not in known:
            raise InputError(unknown("value", str(name), known) if known else f"{kind} takes none", place=str(name))
    if known and not values:
        raise InputError(f"{kind} needs {' or '.join(known)}")
    return dict(values)


def trial_number(value: object) -> int:
    """Return a trial's number.

    Raises:
        InputError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise InputError(f"{value!r} is no trial's number", place="trial")
    return value


def _amounts(values: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in values.items():
        wanted = (int,) if ADDED[name] is int else (int, float)
        if isinstance(value, bool) or not isinstance(value, wanted) or not 0 < value <= MOST_ADDED:
            what = "whole number" if ADDED[name] is int else "number"
            raise InputError(f"{value!r} is no {what} above 0 and up to {MOST_ADDED:,}", place=name)
    return dict(values)


def _scalars(params: object) -> dict[str, Scalar]:
    if not isinstance(params, Mapping) or not params:
        raise InputError("values by the names of parameters are required", place="values")
    for name, value in params.items():
        if not isinstance(name, str) or not isinstance(value, Scalar) or not _is_finite(value):
            raise InputError(f"{value!r} is no number, text or truth", place=str(name))
    return dict(params)


def _is_finite(value: Scalar) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def noted(text: str) -> str:
    """Return a note's text.

    Raises:
        InputError: it is too long.
    """
    if len(text) > MOST_TEXT:
        raise InputError(f"a note has at most {MOST_TEXT:,} characters, and this one {len(text):,}", place="note")
    return text.strip()


def latest(notes: Iterable[Note]) -> dict[int, Note]:
    """Return what holds of each trial, by its number: of notes in their order the last star and the last text."""
    found: dict[int, Note] = {}
    for note in notes:
        before = found.get(note.trial, note)
        star = before.star if note.star is None else note.star
        text = before.text if note.text is None else note.text
        found[note.trial] = replace(note, star=star, text=text)
    return found


def grown(file: Mapping[str, Any], answered: Iterable[Request]) -> dict[str, Any]:
    """Return a file's budget with all that was added to it; what the file itself has changed since is as it says.

    Args:
        file: what there is of each thing; None, or nothing, where it has no bound.
        answered: requests, whatever they ask.
    """
    now = dict(file)
    for request in answered:
        if request.kind == RequestKind.ADD and request.state is RequestState.DONE:
            before, added = (_mapping(request.effect.get(name)) for name in ("file", "added"))
            same = (name for name in added if file.get(name) is not None and before.get(name) == file[name])
            now |= {name: now[name] + added[name] for name in same}
    return now


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
