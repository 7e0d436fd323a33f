"""Say what each section of a study's file may hold, as pydantic models, and turn the space's into a SearchSpace.

The models reject; what they let through is turned into the frozen values of the other modules. Their JSON schema is
the published one.
"""

import json
import math
import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    model_validator,
)

from search.budget import Rates
from spaces.architecture import Architecture
from spaces.domains import Choice, Domain, Float, Int, Parameter, Scalar, When
from spaces.errors import InfeasibleArchitecture, InputError, unknown
from spaces.fields import LISTS, PRESERVED, check_most, listed
from spaces.space import PARAMETERS, SearchSpace, Value
from workers import places
from workers.recipe import Recipe

MOST_VALUES = 10_000  # that one parameter can take
_WHOLE = (*LISTS, "depth", "cardinality", "base_width", "growth", "stem_width")


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


def _two(given: object) -> object:
    if not isinstance(given, (list, tuple)) or len(given) != 2:
        raise ValueError(f"{shown(given)} is not a low and a high, such as [1, 4]")
    return given


def _listed_options(given: object) -> object:
    """Return the options of a choice with lists written as text, since a sampler's choices are single values."""
    if not isinstance(given, list):
        return given
    whole = [isinstance(option, (list, tuple)) and all(type(n) is int for n in option) for option in given]
    return [",".join(map(str, option)) if text else option for option, text in zip(given, whole, strict=True)]


def _listed_conditions(given: object) -> object:
    """Return conditions with lists written as text, as options are."""
    if not isinstance(given, dict):
        return given
    return {name: _listed_options(values) for name, values in given.items()}


NUMERIC = BeforeValidator(_no_truth)
Conditions = Annotated[dict[str, Scalar | list[Scalar]], BeforeValidator(_listed_conditions)]
Whole = Annotated[int, NUMERIC]
Number = Annotated[float, NUMERIC]


class Form(BaseModel):
    """Refuse unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ChoiceForm(Form):
    """Read `{choice: [a, b]}`."""

    choice: Annotated[list[Scalar], BeforeValidator(_listed_options)]
    when: Conditions = {}

    def domain(self) -> Domain:
        """Return the domain."""
        return Choice(options=tuple(self.choice))


class IntForm(Form):
    """Read `{int: [low, high]}`."""

    bounds: Annotated[tuple[Whole, Whole], BeforeValidator(_two)] = Field(alias="int")
    step: Whole = 1
    log: bool = False
    when: Conditions = {}

    def domain(self) -> Domain:
        """Return the domain."""
        return Int(low=self.bounds[0], high=self.bounds[1], step=self.step, log=self.log)


class FloatForm(Form):
    """Read `{float: [low, high]}`."""

    bounds: Annotated[tuple[Number, Number], BeforeValidator(_two)] = Field(alias="float")
    step: Number | None = None
    log: bool = False
    when: Conditions = {}

    def domain(self) -> Domain:
        """Return the domain."""
        return Float(low=self.bounds[0], high=self.bounds[1], step=self.step, log=self.log)


FORMS: dict[str, type[Form]] = {"choice": ChoiceForm, "int": IntForm, "float": FloatForm}


def _form(given: object) -> str | None:
    if isinstance(given, Form):
        return _kind(given)
    return next((key for key in FORMS if key in given), None) if isinstance(given, dict) else "fixed"


def _kind(form: Form) -> str:
    return next(kind for kind, each in FORMS.items() if type(form) is each)


ParameterForm = Annotated[
    Annotated[ChoiceForm, Tag("choice")]
    | Annotated[IntForm, Tag("int")]
    | Annotated[FloatForm, Tag("float")]
    | Annotated[Scalar | list[int] | None, Tag("fixed")],
    Discriminator(_form),
]


class SamplerForm(Form):
    """Name the sampler that proposes, and its seed."""

    name: str = "auto"
    seed: Annotated[int, Field(ge=0, lt=2**31), NUMERIC] = 0


class SchedulerForm(Form):
    """Name the rule that stops trials, and the epochs at which it looks."""

    name: str = "pareto-asha"
    grace_epochs: Annotated[int, Field(ge=1), NUMERIC] = 1
    max_epochs: Annotated[int, Field(ge=1), NUMERIC] = 9
    reduction_factor: Annotated[float, Field(gt=1), NUMERIC] = 3.0  # how many times as late each rung is
    keep: Annotated[float, Field(gt=0, le=1), NUMERIC] | None = None  # share that goes on; else as suits the rule
    floor: Annotated[float, Field(ge=0, lt=1), NUMERIC] = 0.02  # share of the way from chance to 1 to go


class BudgetForm(Form):
    """Say when the study ends: whichever comes first."""

    trials: Annotated[int, Field(ge=1), NUMERIC] | None = None
    epochs: Annotated[int, Field(ge=1), NUMERIC] | None = None  # trained, summed over trials
    gpu_hours: Annotated[float, Field(gt=0), NUMERIC] | None = None  # held while training, summed over trials
    hours: Annotated[float, Field(gt=0), NUMERIC] | None = None  # by the clock, while the study runs
    cost: Annotated[float, Field(gt=0), NUMERIC] | None = None  # of training, by the prices under resources


class ResourcesForm(Form):
    """Say what one trial takes."""

    gpus_per_trial: Annotated[float, Field(ge=0), NUMERIC] = 0
    cpus_per_trial: Annotated[int, Field(ge=1), NUMERIC] = 1
    concurrent_trials: Annotated[int, Field(ge=1), NUMERIC] | None = None  # as many as fit, where nothing is said
    hours_per_trial: Annotated[float, Field(gt=0), NUMERIC] | None = None  # of training; a trial beyond fails
    price_per_gpu_hour: Annotated[float, Field(ge=0), NUMERIC] = 0
    price_per_cpu_hour: Annotated[float, Field(ge=0), NUMERIC] = 0

    @property
    def rates(self) -> Rates:
        """Return what an hour of one trial takes."""
        price = self.gpus_per_trial * self.price_per_gpu_hour + self.cpus_per_trial * self.price_per_cpu_hour
        return Rates(gpus=self.gpus_per_trial, price=price)


_RECIPE = Recipe()


class RecipeForm(Form):
    """Name the fields of `workers.recipe.Recipe` that are not left at their default."""

    batch_size: Whole = _RECIPE.batch_size
    learning_rate: Number = _RECIPE.learning_rate
    momentum: Number = _RECIPE.momentum
    weight_decay: Number = _RECIPE.weight_decay
    warmup_epochs: Number = _RECIPE.warmup_epochs
    label_smoothing: Number = _RECIPE.label_smoothing
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    memory_format: Literal["auto", "channels_first", "channels_last"] = "auto"
    monte_carlo: Whole = _RECIPE.monte_carlo


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


def parse_space(forms: dict[str, ParameterForm]) -> SearchSpace:
    """Return the search space of a file's `space` section.

    Raises:
        InputError: with the place below `space`.
    """
    if "depth" in forms and "depths" in forms:
        raise InputError("depth (of every stage) and depths (of each) cannot both be given", place="depth")
    parameters: dict[str, Parameter] = {}
    fixed: dict[str, Value] = {}
    for name, form in forms.items():
        if name not in PARAMETERS:
            raise InputError(unknown("parameter", name, PARAMETERS), place=name)
        if isinstance(form, (ChoiceForm, IntForm, FloatForm)):
            parameters[name] = _parameter(name, form, parameters, forms)
        else:
            fixed[name] = tuple(form) if isinstance(form, list) else form
            _check_value(name, fixed[name], name)
    if not parameters:
        raise InputError("there is no parameter to search")
    return SearchSpace(parameters=tuple(parameters.values()), fixed=tuple(fixed.items()))


def _parameter(
    name: str,
    form: ChoiceForm | IntForm | FloatForm,
    earlier: dict[str, Parameter],
    forms: dict[str, ParameterForm],
) -> Parameter:
    place = f"{name}.{_kind(form)}"
    try:
        domain = form.domain()
    except InputError as error:
        raise error.at(place) from error
    if name in LISTS and not isinstance(domain, Choice):
        raise InputError(f"{name} is a list: give a choice of some", place=place)
    if (domain.count or 0) > MOST_VALUES:
        raise InputError(f"{domain.count:,} values are more than {MOST_VALUES:,}; give a larger step", place=place)
    for value in domain.options if isinstance(domain, Choice) else (domain.low, domain.high):
        _check_value(name, value, place)
    for on in form.when.keys() & forms.keys() - earlier.keys():
        why = "is not one" if isinstance(forms[on], Form) else "is fixed"
        message = f"{name} can depend only on parameters above it, and {on} {why}"
        raise InputError(message, place=f"{name}.when.{on}")
    conditions = tuple(_condition(name, on, values, earlier) for on, values in form.when.items())
    return Parameter(name=name, domain=domain, when=conditions)


def _condition(name: str, on: str, values: Scalar | list[Scalar], earlier: dict[str, Parameter]) -> When:
    place = f"{name}.when.{on}"
    if on not in earlier:
        raise InputError(unknown("earlier parameter", on, tuple(earlier)), place=place)
    options = tuple(values) if isinstance(values, list) else (values,)
    impossible = [value for value in options if not earlier[on].domain.contains(value)]
    if impossible or not options:
        given = shown(impossible[0]) if impossible else "nothing"
        raise InputError(f"{on} cannot take {given}; it takes {_values(earlier[on].domain)}", place=place)
    return When(parameter=on, values=options)


def _values(domain: Domain) -> str:
    if isinstance(domain, Choice):
        return ", ".join(str(option) for option in domain.options)
    return f"{domain.low} to {domain.high}"


def _check_value(name: str, value: Value, place: str) -> None:
    """Refuse a value that is wrong whatever stands beside it."""
    if value is None and name not in ("base_width", "strides"):
        raise InputError("is empty", place=place)
    _check_numbers(name, value, place)
    try:
        Architecture(**_alone(name, value))  # type: ignore[arg-type]  # that is what is checked
    except InfeasibleArchitecture:
        return
    except InputError as error:
        raise error.at(place) from error
    except TypeError as error:
        raise InputError(f"{shown(value)} is not a value of {name}", place=place) from error


def _check_numbers(name: str, value: Value, place: str) -> None:
    """Refuse what is no whole number, where one is asked for, and what is beyond any network."""
    try:
        numbers = (listed(name, value) or ()) if name in LISTS else (value,)
    except (InputError, TypeError):
        numbers = ()
    whole = all(isinstance(each, int) and not isinstance(each, bool) and each >= 1 for each in numbers)
    spoken = value is None or (name == "base_width" and value == PRESERVED)
    if name in _WHOLE and not spoken and not (whole and numbers):
        what = "a list of whole numbers" if name in LISTS else "a whole number"
        raise InputError(f"{name} {shown(value)} is not {what} of at least 1", place=place)
    try:
        for number in numbers:
            if isinstance(number, (int, float)):
                check_most(name, number)
    except InputError as error:
        raise error.at(place) from error


def _alone(name: str, value: Value) -> dict[str, Value]:
    """Return the fields of an architecture with this value, and as many stages as it speaks of."""
    if name == "depth":
        return {"depths": (value,) * 3}  # type: ignore[dict-item]  # checked to be a whole number
    if name in ("depths", "widths", "strides") and value is not None:
        stages = listed(name, value) or ()
        return {"depths": (1,) * len(stages), "widths": (16,) * len(stages), name: stages}
    return {name: value}
