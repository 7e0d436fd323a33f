"""Name what can go wrong, so that a command can say it in one line.

WidefrontError
├── InputError                    what a person gave is wrong: exit code 2
│   └── InfeasibleArchitecture    values that no network can have together
├── StudyError                    the study itself could not go on: exit code 1
│   ├── StorageAway               the database cannot be reached or written to now; later it may
│   └── HolderUnknown             nobody can tell from here whether a launch holds the study
└── TrialFailure                  one trial failed; the study goes on
"""

import difflib
from collections.abc import Iterable

MOST_CHARACTERS = 1_000  # of a line: what it quotes may be a whole file
COMPARED = 100  # characters of a name nobody knows: to compare longer ones takes seconds


class WidefrontError(Exception):
    """Stand above every error that this project raises on purpose."""


class InputError(WidefrontError):
    """What was given, what is required, and where.

    Args:
        message: one line.
        place: where it was given, such as `space.depth.int` or a file's name; shown before the message.
    """

    def __init__(self, message: str, *, place: str = "") -> None:
        super().__init__(shortened(visible(f"{place}: {message}" if place else message), MOST_CHARACTERS))
        self.message = message
        self.place = place

    def at(self, place: str) -> "InputError":
        """Return the same error with the place it was found at."""
        return type(self)(self.message, place=f"{place}.{self.place}" if self.place else place)


class InfeasibleArchitecture(InputError):
    """Name the two fields that no network can have together."""


class StudyError(WidefrontError):
    """Raised where a study cannot go on."""


class StorageAway(StudyError):
    """Raised where the database does not answer, is locked or has no room: the write must be tried again."""


class HolderUnknown(StudyError):
    """Say why nobody can tell whether a launch holds the study."""


class TrialFailure(WidefrontError):
    """Carry why one trial failed across a process boundary.

    Args:
        kind: one of `workers.kinds.FailureKind`.
        message: one line.
        details: the traceback, or nothing.
    """

    def __init__(self, kind: str, message: str, details: str = "") -> None:
        super().__init__(kind, message, details)
        self.kind = kind
        self.message = message
        self.details = details

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


def visible(text: str) -> str:
    """Return a text in one line, with what a terminal would obey (a newline, an escape) shown instead."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def shortened(text: str, most: int) -> str:
    """Return a text without its middle where it is too long: what matters is at an end."""
    if len(text) <= most:
        return text
    return f"{text[: most // 2]} [...] {text[-(most - most // 2 - 7) :]}"


def first_line(error: object) -> str:
    """Return the first line that an error says, or what kind it is where it says nothing."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def unknown(what: str, given: object, known: Iterable[str]) -> str:
    """Return one line that refuses a name and tells the known ones, and the nearest of them."""
    names = list(known)
    return f"unknown {what} {given!r}{did_you_mean(given, names)}; known are {', '.join(names) or 'none'}"


def did_you_mean(given: object, known: Iterable[str]) -> str:
    """Return ` (did you mean 'depth'?)` for the name that is nearest, whatever its case; nothing where none is near."""
    lowered = {name.lower(): name for name in known}
    near = difflib.get_close_matches(str(given)[:COMPARED].lower(), lowered, 1, 0.5)
    return f" (did you mean {lowered[near[0]]!r}?)" if near else ""
