"""A command that measures a network on a device of the user's: its text, what is put into it, and what it answers.

No torch: a study's file is checked by this, and what runs the command imports it.
"""

import json
import math
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from importlib.util import find_spec
from string import Formatter
from typing import Any

from spaces.architecture import Architecture, ImageSpec
from spaces.errors import InputError, unknown, visible

ONNX, PROGRAM, ARCHITECTURE, DIGEST = "onnx", "torch_export", "architecture", "digest"
FORMS = (ONNX, PROGRAM, ARCHITECTURE, DIGEST)  # what can stand in braces
NEEDED = {ONNX: ("onnx", "onnxscript")}  # packages, by what they write
_VARIABLE = re.compile(r"\$\{\w+\}")  # of the environment, in a file that is sent to where it is looked up
TOLD = 200  # characters of what a command has said


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What is run for each network, and how long and how often.

    The text is split as a POSIX shell splits it, and nothing else of it is read, unless `by_shell` asks for one.
    """

    text: str
    by_shell: bool = False  # its text is one for a shell
    device: str = ""  # what takes one command at a time; else the command is a device of its own
    limit_s: float = 300.0  # for one try
    tries: int = 3

    def check(self) -> None:
        """Look at the text.

        Raises:
            InputError: it is empty, a quotation does not end, or what stands in braces is not known.
        """
        if not self.words:
            raise InputError("is empty")
        _ = self.forms

    @property
    def words(self) -> list[str]:
        """Return its words, as they were written; a shell's are one text.

        Raises:
            InputError: a quotation does not end.
        """
        if self.by_shell:
            return [self.text] if self.text.strip() else []
        try:
            return shlex.split(self.text)
        except ValueError as error:
            raise InputError(f"{self.text!r} cannot be split into words: {str(error).lower()}") from error

    @property
    def forms(self) -> tuple[str, ...]:
        """Return what it reads of a network, in the order of FORMS.

        Raises:
            InputError: what stands in braces is not known.
        """
        read = {name for word in self.words for name in _placeholders(word)}
        return tuple(form for form in FORMS if form in read)

    def filled(self, values: Mapping[str, str]) -> list[str]:
        """Return the words that are run; a shell is one where it is asked for, and values are quoted in its text.

        Args:
            values: of each of `forms`.
        """
        if self.by_shell:
            return ["/bin/sh", "-c", self.text.format_map({name: shlex.quote(value) for name, value in values.items()})]
        return [word.format_map(values) for word in self.words]

    @property
    def place(self) -> str:
        """Return a name for what takes one command at a time."""
        return self.device or sha256(f"{self.by_shell} {self.text}".encode()).hexdigest()[:16]

    def key(self, image: ImageSpec) -> str:
        """Return what is equal where the command would find the same of equal networks: a SHA-256 in hex.

        How long and how often it is tried is no part of it.
        """
        told = [self.text, self.by_shell, self.device, image.channels, image.height, image.width, image.classes]
        return sha256(json.dumps(told).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self)


def _placeholders(word: str) -> Iterable[str]:
    try:
        parts = list(Formatter().parse(_VARIABLE.sub("", word)))
    except ValueError as error:
        hint = "a brace that stands for itself is written twice"
        raise InputError(f"{word!r} cannot be read: {str(error).lower()}; {hint}") from error
    for _, name, form, conversion in parts:
        if name is None:
            continue
        if name not in FORMS:
            raise InputError(f"{unknown('placeholder', name, FORMS)}; a brace that stands for itself is written twice")
        if form or conversion:
            raise InputError(f"{{{name}}} stands alone: a format behind it is not read")
        yield name


def missing(forms: Iterable[str]) -> str:
    """Return a line that says which packages are not installed that a command's forms need, or nothing."""
    absent = [(form, name) for form in forms for name in NEEDED.get(form, ()) if find_spec(name) is None]
    if not absent:
        return ""
    form, name = absent[0]
    return f"{{{form}}} needs {name}, which `pip install 'widefront[export]'` brings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command has found of one network."""

    value: float  # finite, 0 or above
    deviation: float | None = None  # between its own repetitions, where it tells one
    took_s: float = 0.0  # the try that answered


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A network to be measured, as a line between two processes."""

    command: Command
    architecture: Architecture
    image: ImageSpec
    packages: Mapping[str, str] = field(default_factory=dict)  # that it needs, with the hashes of their sources

    def to_line(self) -> str:
        """Return it as JSON on one line."""
        return json.dumps(asdict(self) | {"architecture": self.architecture.to_json()})

    @classmethod
    def of_line(cls, line: str) -> "Request":
        """Return the request of a line; its packages have to be loaded."""
        given = json.loads(line)
        return cls(
            command=Command(**given["command"]),
            architecture=Architecture.from_json(given["architecture"]),
            image=ImageSpec(**given["image"]),
            packages=given["packages"],
        )


def read_answer(said: str) -> Answer:
    """Return what a command has printed: a number or a JSON object, alone or as the last line that is not blank.

    Raises:
        ValueError: in half a sentence, what it is instead.
    """
    found = _json(said.strip())
    if found is None:
        found = _json(said.strip().rpartition("\n")[2])
    if isinstance(found, dict):
        deviation = found.get("deviation")
        return Answer(
            value=_number(found.get("value"), "value", said),
            deviation=None if deviation is None else _number(deviation, "deviation", said),
        )
    return Answer(value=_number(found, "", said))


def _json(text: str) -> object:
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found


def _number(found: object, key: str, said: str) -> float:
    named = f"the {key} of " if key else ""
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        raise ValueError(f"{named}its output is no number: {last_line(said) or 'nothing'}")
    try:
        value = float(found)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise ValueError(f"{named}its output is not finite: {last_line(said)}")
    if value < 0:
        raise ValueError(f"{named}its output is below 0: {last_line(said)}")
    return value


def last_line(said: str) -> str:
    """Return the last line that is not blank, cut where it is long; what a terminal would obey is shown instead."""
    line = visible(said.strip().rpartition("\n")[2].strip())
    return line if len(line) <= TOLD else f"{line[: TOLD - 3]}..."
