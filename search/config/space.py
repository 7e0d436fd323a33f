"""What the `space` section of a study's file may hold, as pydantic models, and how it becomes a SearchSpace."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field, Tag

from search.config.sections import Form, Number, Whole, shown
from search.core.columns import BESIDE
from spaces.architecture import Architecture
from spaces.domains import Choice, Domain, Float, Int, Parameter, Scalar, When
from spaces.errors import InfeasibleArchitecture, InputError, unknown
from spaces.fields import LISTS, PRESERVED, UNSAID, check_most, listed
from spaces.lookup import check_choice, choice_of, with_beside
from spaces.names import named
from spaces.packages import LOADED, package_of
from spaces.space import NETWORK, PARAMETERS, SOURCE, SearchSpace, Value
from workers.objectives import OBJECTIVES
from workers.recipe import SEARCHED

MOST_VALUES = 10_000  # that one parameter can take
_WHOLE = (
    *LISTS,
    "depth",
    "cardinality",
    "branches",
    "levels",
    "columns",
    "base_width",
    "growth",
    "reduction",
    "stem_width",
    "head_width",
    "head_map",
)


def _two(given: object) -> object:
    if not isinstance(given, (list, tuple)) or len(given) != 2:
        raise ValueError(f"{shown(given)} is not a low and a high, such as [1, 4]")
    return given


def _listed_options(given: Any) -> Any:
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


Conditions = Annotated[dict[str, Scalar | list[Scalar]], BeforeValidator(_listed_conditions)]


class ChoiceForm(Form):
    """Read `{choice: [a, b]}`."""

    choice: Annotated[list[Scalar], BeforeValidator(_listed_options)]
    weights: list[Number] = Field(default=[])
    when: Conditions = Field(default={})

    def domain(self) -> Domain:
        """Return the domain."""
        return Choice(options=tuple(self.choice), weights=tuple(self.weights))


class IntForm(Form):
    """Read `{int: [low, high]}`."""

    bounds: Annotated[tuple[Whole, Whole], BeforeValidator(_two)] = Field(alias="int")
    step: Whole = 1
    log: bool = False
    when: Conditions = Field(default={})

    def domain(self) -> Domain:
        """Return the domain."""
        return Int(low=self.bounds[0], high=self.bounds[1], step=self.step, log=self.log)


class FloatForm(Form):
    """Read `{float: [low, high]}`."""

    bounds: Annotated[tuple[Number, Number], BeforeValidator(_two)] = Field(alias="float")
    step: Number | None = None
    log: bool = False
    when: Conditions = Field(default={})

    def domain(self) -> Domain:
        """Return the domain."""
        return Float(low=self.bounds[0], high=self.bounds[1], step=self.step, log=self.log)


DomainForm = ChoiceForm | IntForm | FloatForm
FORMS: dict[str, type[Form]] = {"choice": ChoiceForm, "int": IntForm, "float": FloatForm}


def form_of(given: object) -> str | None:
    """Return which word of the file a value is, or that it is fixed; nothing where it is a mapping without one."""
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
    Discriminator(form_of),
]


STUDY = "study"  # the key of a start that is another study's front


def _entries(given: object) -> object:
    """Return what a study starts with as a list; lists within as text, as options are."""
    entries = given if isinstance(given, (list, tuple)) else [given]
    return [_entry(entry) for entry in entries]


def _entry(given: object) -> object:
    if isinstance(given, dict) and (STUDY not in given or (len(given) == 1 and isinstance(given[STUDY], str))):
        return {name: _listed_options([value])[0] for name, value in given.items()}
    if not isinstance(given, str):
        raise ValueError(f"{shown(given)} is neither a network's name nor its values nor {{study: name}}")
    return given


Start = Annotated[tuple[str | dict[str, Scalar], ...], BeforeValidator(_entries)]


def chosen(space: SearchSpace, given: str | dict[str, Scalar], place: str) -> Mapping[str, Scalar]:
    """Return the values of a network of the space that is named, or whose values are given."""
    try:
        if isinstance(given, str):
            return choice_of(space, named(given).architecture)
        whole = with_beside(space, given)
        check_choice(space, whole)
    except InputError as error:
        raise error.at(place) from error
    return whole


def parse_space(forms: dict[str, ParameterForm]) -> SearchSpace:
    """Return the search space of a file's `space` section.

    Raises:
        InputError: with the place below `space`.
    """
    if NETWORK in forms:
        return _parse_own(forms)
    if "depth" in forms and "depths" in forms:
        raise InputError("depth (of every stage) and depths (of each) cannot both be given", place="depth")
    parameters: dict[str, Parameter] = {}
    fixed: dict[str, Value] = {}
    for name, form in forms.items():
        if name not in PARAMETERS:
            raise InputError(unknown("parameter", name, PARAMETERS), place=name)
        if isinstance(form, DomainForm):
            parameters[name] = parameter_of(name, form, parameters, forms)
            domain = parameters[name].domain
            for value in domain.options if isinstance(domain, Choice) else (domain.low, domain.high):
                _check_value(name, value, place_of(name, form))
        else:
            fixed[name] = tuple(form) if isinstance(form, list) else form
            _check_value(name, fixed[name], name)
    if not parameters:
        raise InputError("there is no parameter to search")
    return SearchSpace(parameters=tuple(parameters.values()), fixed=tuple(fixed.items()))


def _parse_own(forms: dict[str, ParameterForm]) -> SearchSpace:
    """Return the space of a function that builds its networks itself; its parameters have the names it gives them."""
    network = forms[NETWORK]
    name = package_of(network)
    if not isinstance(network, str) or name is None:
        raise InputError(f"{shown(network)} is not of the form my_package:function", place=NETWORK)
    _check_own_names(forms)
    parameters = parse_parameters(forms)
    if not parameters:
        raise InputError("there is no parameter to search")
    searched = {each.name for each in parameters}
    fixed = {key: tuple(form) if isinstance(form, list) else form for key, form in forms.items() if key not in searched}
    if name not in LOADED:
        raise InputError(f"package {name} is not loaded", place=NETWORK)
    fixed[SOURCE] = LOADED[name].source
    return SearchSpace(parameters=parameters, fixed=tuple(fixed.items()))  # type: ignore[arg-type]  # no form is left


def _check_own_names(forms: Mapping[str, Any]) -> None:
    """Refuse names by which trials have something else, or that no function's argument has."""
    for name in forms:
        if name in (SOURCE, *SEARCHED):
            raise InputError(f"{name} is a name of the recipe or of the space itself; call it otherwise", place=name)
        if not name.isidentifier():
            raise InputError(f"{name!r} is no name of a function's argument", place=name)
        if name in BESIDE or name in OBJECTIVES:
            raise InputError(f"{name} is something else that every trial has; call it otherwise", place=name)


def parse_parameters(forms: dict[str, ParameterForm]) -> tuple[Parameter, ...]:
    """Return the parameters of a `space` section in which they may have any names; what is fixed is left out.

    Raises:
        InputError: with the place below `space`.
    """
    parameters: dict[str, Parameter] = {}
    for name, form in forms.items():
        if isinstance(form, DomainForm):
            parameters[name] = parameter_of(name, form, parameters, forms)
    return tuple(parameters.values())


def place_of(name: str, form: DomainForm) -> str:
    """Return where a parameter's domain stands in its section."""
    return f"{name}.{_kind(form)}"


def parameter_of(
    name: str,
    form: DomainForm,
    earlier: Mapping[str, Parameter],
    forms: Mapping[str, ParameterForm],
) -> Parameter:
    """Return a parameter that depends on none below it.

    Args:
        name: of the parameter.
        form: of its domain.
        earlier: the parameters above it.
        forms: all that the file says, fixed values too.

    Raises:
        InputError: with the place below the section.
    """
    place = place_of(name, form)
    try:
        domain = form.domain()
    except InputError as error:
        raise error.at(place) from error
    if name in LISTS and not isinstance(domain, Choice):
        raise InputError(f"{name} is a list: give a choice of some", place=place)
    if (domain.count or 0) > MOST_VALUES:
        raise InputError(f"{domain.count:,} values are more than {MOST_VALUES:,}; give a larger step", place=place)
    for on in form.when.keys() & forms.keys() - earlier.keys():
        why = "is not one" if isinstance(forms[on], Form) else "is fixed"
        message = f"{name} can depend only on parameters above it, and {on} {why}"
        raise InputError(message, place=f"{name}.when.{on}")
    conditions = tuple(_condition(name, on, values, earlier) for on, values in form.when.items())
    return Parameter(name=name, domain=domain, when=conditions)


def _condition(name: str, on: str, values: Scalar | list[Scalar], earlier: Mapping[str, Parameter]) -> When:
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
    if value is None and name not in UNSAID:
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
    if name in ("depths", "widths", "strides", "stage_kernels") and value is not None:
        stages = listed(name, value) or ()
        return {"depths": (1,) * len(stages), "widths": (16,) * len(stages), name: stages}
    return {name: value}
