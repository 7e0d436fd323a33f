"""Tell what kind of failure an exception is, where it happened, before it is sent away."""

import errno
import os
import re
import traceback
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from socket import gaierror

import torch

from spaces.errors import InputError, TrialFailure, shortened
from workers.kinds import FailureKind

MOST_CHARACTERS = 400  # of a message, which is one line of a table
MOST_DETAILS = 20_000  # characters of a traceback


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """How an exception of one kind is known: by its type, its number, or by words that it says."""

    kind: FailureKind
    types: tuple[type[BaseException], ...] = ()
    numbers: frozenset[int] = frozenset()  # of an OSError; their names in words count too
    words: tuple[str, ...] = ()  # in lower case

    def fit(self, error: BaseException) -> bool:
        """Whether an exception is of this kind."""
        if isinstance(error, self.types) or (isinstance(error, OSError) and error.errno in self.numbers):
            return True
        said = _said(error).lower()
        return any(words in said for words in self.words + tuple(os.strerror(n).lower() for n in self.numbers))


_NO_MEMORY = (
    "out of memory",  # every allocator of a device, and CUDA itself
    "not enough memory", "can't allocate memory", "unable to allocate", "failed to allocate",
    "bad_alloc", "bad allocation", "alloc_failed", "allocation_failed",  # C++; cuBLAS, cuFFT, cuSOLVER, cuDNN
    # What these libraries say when nothing is left for their handles and workspaces.
    "cublas_status_not_initialized", "cudnn_status_not_initialized",
    "unable to find an engine to execute this computation", "unable to find a valid cudnn algorithm",
)  # fmt: skip

# torch writes through a stream of C++, which loses the number: the position is wrong once a write fell short.
_NO_ROOM = ("file write failed", "failed writing file", "iostream error", ". unexpected pos ")

_AWAY = frozenset({
    errno.ESTALE, errno.ENETUNREACH, errno.ENETDOWN, errno.ENETRESET, errno.EHOSTUNREACH, errno.EHOSTDOWN,
    errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.ETIMEDOUT, errno.ENOTCONN, errno.ESHUTDOWN,
    errno.EPIPE,
})  # fmt: skip

# A device that broke: another worker may get another one.
_BROKEN = ("uncorrectable ecc error", "device(s) is/are busy or unavailable", "hardware stack error")

# After these a process can compute nothing more on its GPU, whoever of those who share it did it.
_CONTEXT = (
    "device-side assert", "illegal memory access", "illegal instruction", "misaligned address", "invalid pc",
    "invalid address space", "unspecified launch failure", "launch timed out", *_BROKEN,
)  # fmt: skip

# In this order: what has no memory left may fail to write or to connect as well.
KINDS = (
    Signs(
        kind=FailureKind.OUT_OF_MEMORY,
        types=(torch.OutOfMemoryError, MemoryError),
        numbers=frozenset({errno.ENOMEM}),
        words=_NO_MEMORY,
    ),
    Signs(kind=FailureKind.DISK, numbers=frozenset({errno.ENOSPC, errno.EDQUOT}), words=_NO_ROOM),
    Signs(kind=FailureKind.IO, numbers=frozenset({errno.EIO})),
    Signs(
        kind=FailureKind.CONNECTION,
        types=(ConnectionError, TimeoutError, gaierror, HTTPException),
        numbers=_AWAY,
        words=("http error 5", "http error 429", "http error 408", "retrieval incomplete"),
    ),
    Signs(kind=FailureKind.LOST, words=_BROKEN),
    Signs(kind=FailureKind.DATA, types=(InputError,)),
)


def classify(error: Exception) -> TrialFailure:
    """Return the failure that an exception in a trial is, with one line of message and the traceback.

    Of an exception that was raised for another, the kind is that of the first of them, from the outside, that has one:
    `cannot be read` may hide a file system that is away. What is left over is a crash.
    """
    if isinstance(error, TrialFailure):
        return error
    chain = list(_chain(error))
    details = shortened("".join(traceback.format_exception(error)), MOST_DETAILS)
    for each in chain:
        if isinstance(each, TrialFailure):
            return TrialFailure(each.kind, each.message, details)
    for signs in KINDS:
        for each in chain:
            if signs.fit(each):
                return TrialFailure(signs.kind, _message(signs.kind, each), details)
    return TrialFailure(FailureKind.CRASH, _message(FailureKind.CRASH, error), details)


def breaks_context(error: BaseException) -> bool:
    """Whether an exception says that this process can compute nothing more on its GPU."""
    chain = list(_chain(error))
    if any(KINDS[0].fit(each) for each in chain):  # memory comes back
        return False
    return any(
        isinstance(each, torch.AcceleratorError)
        or ("cuda" in (said := _said(each).lower()) and any(words in said for words in _CONTEXT))
        for each in chain
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception, what it was raised for or holds, and so on inwards, each once."""
    seen: set[int] = set()
    rest = [error]
    while rest:
        each = rest.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        behind = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
        held = each.exceptions if isinstance(each, BaseExceptionGroup) else (getattr(each, "reason", None),)  # a URL's
        rest += [inner for inner in (behind, *held) if isinstance(inner, BaseException)]


def _said(error: BaseException) -> str:
    with suppress(Exception):  # an exception whose own words raise another
        return str(error)
    return ""


# torch's checks put a place in its source before what they say.
_PLACE = re.compile(r"^\[enforce fail at [^\]]*\]\s*(?:err == 0)?[ .]*")
_CUDA = re.compile(
    r"Tried to allocate (?P<asked>[\d.]+ \w+)\..*?total capacity of (?P<total>[\d.]+ \w+) of which "
    r"(?P<free>[\d.]+ \w+) is free\.(?:.*?(?P<allowed>[\d.]+ \w+) allowed;)?"
    r"(?:.*?allocated memory (?P<held>[\d.]+ \w+) is allocated by PyTorch)?",
    re.DOTALL,
)


def _message(kind: FailureKind, error: BaseException) -> str:
    """Return one line: of memory, how much of how much; else the first line, behind what raised it."""
    said = _said(error)
    if kind is FailureKind.OUT_OF_MEMORY and (found := _CUDA.search(said)):
        held = f", {found['held']} held by this trial" if found["held"] else ""
        allowed = f", of which {found['allowed']} allowed" if found["allowed"] else ""
        return f"CUDA: asked for {found['asked']}; {found['free']} of {found['total']} free{allowed}{held}"
    lines = [_PLACE.sub("", line).strip() for line in said.splitlines()]
    line = next((line for line in lines if line), "")
    if kind is FailureKind.OUT_OF_MEMORY and not line:
        line = "the process got no more memory"
    named = kind in (FailureKind.CRASH, FailureKind.CONNECTION, FailureKind.LOST)
    return shortened(f"{type(error).__name__}: {line}" if named else line, MOST_CHARACTERS)
