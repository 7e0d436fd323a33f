"""What a file holds that describes a replay: a study's own file, or one with a `table` section."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator

from search.config import unread
from search.config.errors import refusal
from search.config.sections import BudgetForm, Form, ResourcesForm, SamplerForm, SchedulerForm, name_alone
from search.config.source import read
from search.config.space import ParameterForm
from spaces.errors import InputError, unknown
from workers.objectives import OBJECTIVES


class ColumnForm(Form):
    """What an objective's column is: `{direction: minimize, known: true}`, or its direction alone."""

    direction: Literal["maximize", "minimize"]
    known: bool = False  # before training


class TableForm(Form):
    """Which columns of a table are what."""

    objectives: dict[str, ColumnForm] = Field(default_factory=dict)  # else the file's own objectives
    parameters: tuple[str, ...] = ()  # else those of the space, or every column that is nothing else
    known: tuple[str, ...] = ()  # other columns that tell of a network before training
    epoch: str = "epoch"
    seconds: str = "seconds"  # since the training began
    seed: str = "seed"
    digest: str = "digest"  # equal for equal networks
    classes: Annotated[int, Field(ge=2)] | None = None  # of images: rungs know then what chance reaches

    @field_validator("objectives", mode="before")
    @classmethod
    def _direction_alone(cls, given: object) -> object:
        if not isinstance(given, Mapping):
            return given
        return {name: {"direction": each} if isinstance(each, str) else each for name, each in given.items()}


class ReplayForm(Form):
    """The sections of a study's file that a replay reads; what trains networks is passed over."""

    study: str = "replay"
    table: TableForm = TableForm()
    space: dict[str, ParameterForm] = Field(default_factory=dict)
    objectives: tuple[str, ...] = ("accuracy", "macs")
    sampler: SamplerForm = SamplerForm()
    scheduler: SchedulerForm = SchedulerForm()
    budget: BudgetForm = BudgetForm()
    resources: ResourcesForm = ResourcesForm()
    constraints: Any = None  # a table holds what was trained, and that kept them
    data: Any = None
    recipe: Any = None
    storage: Any = None
    checkpoints: Any = None
    confirm: Any = None

    _name_alone = field_validator("sampler", "scheduler", mode="before")(name_alone)

    @property
    def columns(self) -> dict[str, ColumnForm]:
        """Return what the table's objectives are, in the order of the file."""
        if self.table.objectives:
            return dict(self.table.objectives)
        return {name: _own(name) for name in self.objectives}

    @property
    def full_fidelity(self) -> int | None:
        """Return the epochs of full fidelity where the file names them; else the table's last are."""
        return self.scheduler.max_epochs if "max_epochs" in self.scheduler.model_fields_set else None


def _own(name: str) -> ColumnForm:
    if name not in OBJECTIVES:
        hint = f"{unknown('objective', name, OBJECTIVES)}; others stand under table.objectives"
        raise InputError(hint, place="objectives")
    objective = OBJECTIVES[name]
    return ColumnForm(direction="maximize" if objective.direction == "maximize" else "minimize", known=objective.static)


def quality(name: str, column: ColumnForm) -> bool:
    """Whether an objective tells how good a network is, not what it costs."""
    return OBJECTIVES[name].quality if name in OBJECTIVES else not column.known


def load_replay(
    path: Path, settings: Sequence[str] = (), environment: Mapping[str, str] | None = os.environ
) -> ReplayForm:
    """Return what a file says of a replay; for arguments and errors see `search.config.study.load`."""
    given = read(path, settings, environment)
    unread.drop(given, settings)
    return parse_replay(given)


def parse_replay(given: Mapping[str, Any]) -> ReplayForm:
    """Return the replay that plain values describe.

    Raises:
        InputError: the first thing that is wrong, and where.
    """
    try:
        form = ReplayForm.model_validate(given)
    except ValidationError as error:
        raise refusal(error.errors(include_url=False), ReplayForm) from error
    columns = form.columns
    place = "table.objectives" if form.table.objectives else "objectives"
    if len(columns) < 2:
        raise InputError("a front needs at least two different objectives", place=place)
    if not any(quality(name, each) for name, each in columns.items()):
        raise InputError("at least one objective must say how good a network is, which training reveals", place=place)
    return form
