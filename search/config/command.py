"""An objective that a command measures on a device, as it stands under `objectives`."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from search.config.sections import NUMERIC, Form
from search.core.columns import BESIDE
from spaces.errors import InputError
from spaces.space import PARAMETERS
from workers.command import Command
from workers.objectives import OBJECTIVES, Objective, checked
from workers.recipe import SEARCHED

ENDS = (1e-3, 1e6)  # in whatever unit, for shares of hypervolume on a log axis
TAKEN = frozenset({*PARAMETERS, *SEARCHED, *BESIDE})
NAME = re.compile(r"^[A-Za-z]\w{0,40}$")
FREE = ("limit_s", "tries", "title")  # what another launch of a study may change


class CommandForm(Form):
    """Measure a network by a command before it is trained: the less it answers, the better."""

    name: Annotated[str, Field(pattern=NAME.pattern)]
    command: str
    unit: Annotated[str, Field(min_length=1, max_length=30)]
    title: Annotated[str, Field(min_length=1, max_length=100)] | None = None  # for axes; else the name
    device: Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]{0,60}$")] | None = None
    limit_s: Annotated[float, Field(gt=0, le=86_400), NUMERIC] = 300.0  # for one try
    tries: Annotated[int, Field(ge=1, le=10), NUMERIC] = 3
    shell: bool = False

    @property
    def asks(self) -> Command:
        """Return what is run."""
        return Command(
            text=self.command, by_shell=self.shell, device=self.device or "", limit_s=self.limit_s, tries=self.tries
        )

    @property
    def objective(self) -> Objective:
        """Return how what it finds is read."""
        return Objective(
            name=self.name,
            title=self.title or self.name,
            unit=self.unit,
            direction="minimize",
            static=True,
            asked=True,
            ends=ENDS,
        )

    def check(self) -> None:
        """Look at its name and at the text of its command.

        Raises:
            InputError: with the place below its own.
        """
        if self.name in OBJECTIVES or self.name in TAKEN:
            raise InputError(f"{self.name!r} is the name of something else: take another", place="name")
        checked(self.objective)
        try:
            self.asks.check()
        except InputError as error:
            raise error.at("command") from error


def _kind(given: object) -> str:
    return "command" if isinstance(given, (Mapping, CommandForm)) else "name"


ObjectiveForm = Annotated[Annotated[str, Tag("name")] | Annotated[CommandForm, Tag("command")], Discriminator(_kind)]


def name_of(form: ObjectiveForm) -> str:
    """Return the name of an objective, however it stands in the file."""
    return form.name if isinstance(form, CommandForm) else form


def fixed(objectives: object) -> object:
    """Return the plain values of a file's objectives without what may change from launch to launch."""
    if not isinstance(objectives, Sequence) or isinstance(objectives, str):
        return objectives
    return [_without(each, FREE) if isinstance(each, Mapping) else each for each in objectives]


def _without(given: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if key not in keys}
