"""What each section of a study's file may hold, as pydantic models; the space's are in `space_forms`.

The models reject; what they let through is turned into the frozen values of the other modules. Their JSON schema is
the published one.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    create_model,
    model_serializer,
    model_validator,
)

from search.core.budget import Rates
from search.core.patience import Patience
from search.schedulers.base import Options, keys
from search.schedulers.registry import SCHEDULERS, Plan, scheduler_class
from spaces.errors import InputError
from workers import places


def shown(value: object) -> str:
    """Return a value of a file as it may stand there, on one line, cut where it is long."""
    as_json = isinstance(value, (bool, list, tuple, dict))
    try:
        text = json.dumps(value, ensure_ascii=False, default=str) if as_json else repr(value)
        text = str(value) if isinstance(value, date) else text
    except (ValueError, TypeError, RecursionError):  # no file holds it, or it holds itself
        return "what is given"
    return text if len(text) <= 60 else f"{text[:57]}..."


def _no_truth(given: object) -> object:
    if isinstance(given, bool):  # pydantic takes true for 1
        raise ValueError(f"{shown(given)} is not a number")
    if isinstance(given, int) and abs(given) > 2**53:
        raise ValueError("the number is too large")
    return given


NUMERIC = BeforeValidator(_no_truth)
Whole = Annotated[int, NUMERIC]
Number = Annotated[float, NUMERIC]


class Form(BaseModel):
    """Refuse unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SamplerForm(Form):
    """Name the sampler that proposes, and its seed."""

    name: str = "auto"
    seed: Annotated[int, Field(ge=0, lt=2**31), NUMERIC] = 0


_OPTIONS = Options()


class _SchedulerForm(Form):
    """Name the rule that stops trials, and the epochs at which it looks; bounds and other keys are its options'."""

    name: str = "auto"
    grace_epochs: int = _OPTIONS.grace_epochs
    max_epochs: int = _OPTIONS.max_epochs
    reduction_factor: float = _OPTIONS.reduction_factor

    def plan(self, chance: float | None) -> Plan:
        """Return the scheduler that it asks for.

        Args:
            chance: the accuracy of guessing, where it is known.

        Raises:
            InputError: there is none of that name.
        """
        reads = scheduler_class(self.name).options_class
        options = reads(**{key: getattr(self, key) for key in self.model_fields_set.intersection(keys(reads))})
        return Plan(name=self.name, options=options, levels=options.levels, chance=chance)

    @property
    def rungs(self) -> tuple[int, ...]:
        """Return the epochs at which its scheduler compares trials."""
        return self.plan(None).levels if scheduler_class(self.name).has_rungs else ()

    @property
    def unread(self) -> list[str]:
        """Return the keys that are given and that its scheduler does not read."""
        return sorted(self.model_fields_set - {"name", *keys(scheduler_class(self.name).options_class)})

    @model_serializer
    def _read_alone(self) -> dict[str, Any]:
        """Return the name and what it reads, whatever else was given."""
        told = asdict(self.plan(None).options)
        return {"name": self.name, **{key: value for key, value in told.items() if value is not None}}


def _keys_of_all() -> dict[str, Any]:
    """Return the fields of every scheduler's options, as pydantic takes them; of one key, the first one's."""
    found: dict[str, Any] = {}
    for each in SCHEDULERS.values():
        hints = get_type_hints(each.options_class, include_extras=True)
        for option in fields(each.options_class):
            found.setdefault(option.name, (Annotated[hints[option.name], NUMERIC], option.default))
    return found


if TYPE_CHECKING:
    SchedulerForm = _SchedulerForm
else:
    SchedulerForm = create_model(
        "SchedulerForm", __base__=_SchedulerForm, __doc__=_SchedulerForm.__doc__, **_keys_of_all()
    )


def name_alone(given: object) -> object:
    """Return the section that a name alone stands for."""
    return {"name": given} if isinstance(given, str) else given


class BudgetForm(Form):
    """When the study ends: whichever comes first."""

    trials: Annotated[int, Field(ge=1), NUMERIC] | None = None
    epochs: Annotated[int, Field(ge=1), NUMERIC] | None = None  # trained, summed over trials
    gpu_hours: Annotated[float, Field(gt=0), NUMERIC] | None = None  # held while training, summed over trials
    hours: Annotated[float, Field(gt=0), NUMERIC] | None = None  # by the clock, while the study runs
    cost: Annotated[float, Field(gt=0), NUMERIC] | None = None  # of training, by the prices under resources


NEVER = "none"  # switches a bound off
Bound = Annotated[float, Field(gt=0), NUMERIC] | Literal["none"]


class ResourcesForm(Form):
    """What one trial takes."""

    gpus_per_trial: Annotated[float, Field(ge=0), NUMERIC] = 0
    cpus_per_trial: Annotated[int, Field(ge=1), NUMERIC] = 1
    concurrent_trials: Annotated[int, Field(ge=1), NUMERIC] | None = None  # as many as fit, where nothing is said
    packed: Literal["auto", "never"] = "auto"  # trials of one plan that nobody stops: together where that pays
    hours_per_trial: Annotated[float, Field(gt=0), NUMERIC] | None = None  # of training; a trial beyond fails
    silence_s: Bound = 300.0  # without a step, after which a worker counts as hung
    epoch_slack: Bound = 10.0  # times what an epoch of such a network is expected to take
    first_epoch_s: Bound = 3600.0  # as long as no epoch is known
    grace_s: Annotated[float, Field(ge=0), NUMERIC] = 30.0  # beyond hours_per_trial and a budget of time or money
    engine: Literal["auto", "process", "always"] = "auto"  # several trials in one process of their GPU
    price_per_gpu_hour: Annotated[float, Field(ge=0), NUMERIC] = 0
    price_per_cpu_hour: Annotated[float, Field(ge=0), NUMERIC] = 0

    @property
    def limit_s(self) -> float | None:
        """Return the seconds of training that one trial may take."""
        return self.hours_per_trial and self.hours_per_trial * 3600

    @property
    def patience(self) -> Patience:
        """Return how long a trial may take before it counts as stuck."""
        silence, slack, first = (
            None if bound == NEVER else float(bound) for bound in (self.silence_s, self.epoch_slack, self.first_epoch_s)
        )
        return Patience(silence_s=silence, epoch_slack=slack, first_epoch_s=first, grace_s=self.grace_s)

    @property
    def rates(self) -> Rates:
        """Return what an hour of one trial takes."""
        price = self.gpus_per_trial * self.price_per_gpu_hour + self.cpus_per_trial * self.price_per_cpu_hour
        return Rates(gpus=self.gpus_per_trial, price=price)


_SIZE = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE]\+?[0-9]+)?")
_BYTES = {"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
NO_LIMIT = "none"


def _folder(given: str) -> str:
    try:
        places.check(given)
    except InputError as error:
        raise ValueError(error.message) from error
    return given


def _size(given: object) -> str:
    if given is None:
        raise ValueError(f"is empty; where there is none, say {NO_LIMIT}")
    text = str(given).strip().removesuffix("B") if isinstance(given, (str, int, float)) else ""
    if text != NO_LIMIT and not 0 < _bytes(text) < math.inf:
        raise ValueError(f"{shown(given)} is neither a size above 0 such as 500M or 20G, nor {NO_LIMIT}")
    return str(given).strip()


def _bytes(text: str) -> float:
    number = text[:-1].strip() if text[-1:] in _BYTES else text
    return float(number) * _BYTES.get(text[-1:], 1.0) if _SIZE.fullmatch(number) else 0.0


class CheckpointsForm(Form):
    """Name the folder where checkpoints lie, or its URL, and what they may take; a name alone is the folder's."""

    folder: Annotated[str, AfterValidator(_folder)] = "runs"  # every worker sees it
    limit: Annotated[
        str, BeforeValidator(_size), WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}]})
    ] = "20G"

    @model_validator(mode="before")
    @classmethod
    def _folder_alone(cls, given: object) -> object:
        if not isinstance(given, (str, Mapping, CheckpointsForm, type(None))):
            raise ValueError(f"{shown(given)} is neither a folder nor a mapping of folder and limit")
        return {"folder": given} if isinstance(given, str) else given

    @property
    def limit_bytes(self) -> float:
        """Return what they may take; infinity where there is no limit."""
        return math.inf if self.limit == NO_LIMIT else _bytes(self.limit.removesuffix("B"))


class ConfirmForm(Form):
    """Train the front again with other seeds once the study is over; `search.confirm` tells what each is."""

    seeds: Annotated[int, Field(ge=0, le=1000)] = 5  # 0: a front of single runs
    near: Annotated[float, Field(ge=0, le=100)] = 2.0
    level: Annotated[float, Field(ge=0.5, le=1)] = 0.95
    trainings: Annotated[int, Field(ge=0)] | None = None
    test: bool = False
    packed: Literal["auto", "never"] = "auto"

    @model_validator(mode="before")
    @classmethod
    def _seeds_alone(cls, given: object) -> object:
        return {"seeds": given} if isinstance(given, int) and not isinstance(given, bool) else given


_BOUND = re.compile(r"\s*(<=|<|>=|>)\s*((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*([kKMG]?)\s*")
_UNITS = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}


class ConstraintForm(BaseModel):
    """Read `"<= 1e6"`, also with k, M or G behind the number."""

    model_config = ConfigDict(frozen=True)

    text: str
    below: bool
    limit: float

    @classmethod
    def parse(cls, text: object) -> "ConstraintForm":
        """Return the bound that a text such as `<= 1.5M` names.

        Raises:
            InputError: it names none.
        """
        found = _BOUND.fullmatch(text) if isinstance(text, str) else None
        limit = float(found[2]) * _UNITS[found[3]] if found else 0.0
        if not found or not 0 < limit < math.inf:
            raise InputError(f'{text!r} is not a bound above 0 such as "<= 1e6" or "<= 1.5M"')
        return cls(text=str(text), below=found[1].startswith("<"), limit=limit)

    def violation(self, value: float) -> float:
        """Return by how much of the limit a value oversteps it; 0 or less keeps it."""
        excess = value / self.limit - 1
        return excess if self.below else -excess
