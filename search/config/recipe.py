"""What the `recipe` section of a study's file may hold, and how what is searched of it joins the space.

A value is searched where a domain of the words of `space` stands in its place; the parameter has its name.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import NoneType
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Tag, field_serializer, model_validator

from search.config.sections import Form, Number, Whole, shown
from search.config.space import (
    ChoiceForm,
    DomainForm,
    FloatForm,
    IntForm,
    ParameterForm,
    form_of,
    parameter_of,
    place_of,
)
from spaces.domains import Choice, Domain, Parameter, Scalar
from spaces.errors import InputError
from spaces.space import SearchSpace
from workers.recipe import SEARCHED, Recipe

_RECIPE = Recipe()
BESIDE = frozenset({"record"})  # fields that change nothing of what is trained
_DOMAINS = Annotated[ChoiceForm, Tag("choice")] | Annotated[IntForm, Tag("int")] | Annotated[FloatForm, Tag("float")]
_WholeForm = Annotated[_DOMAINS | Annotated[Whole, Tag("fixed")], Discriminator(form_of)]
_NumberForm = Annotated[_DOMAINS | Annotated[Number, Tag("fixed")], Discriminator(form_of)]


def _one_value(given: object) -> object:
    if isinstance(given, Mapping):
        raise ValueError("is not searched: one value is for all trials")
    return given


_FIXED = BeforeValidator(_one_value)
_PixelsForm = Annotated[_DOMAINS | Annotated[Whole | None, Tag("fixed")], Discriminator(form_of)]
_OptimizerForm = Annotated[_DOMAINS | Annotated[Literal["sgd", "adamw"], Tag("fixed")], Discriminator(form_of)]
_ScheduleForm = Annotated[
    _DOMAINS | Annotated[Literal["cosine", "linear", "constant"], Tag("fixed")], Discriminator(form_of)
]


class RecipeForm(Form):
    """Name the fields of `workers.recipe.Recipe` that are not left at their default, or what is searched of them."""

    optimizer: _OptimizerForm = "sgd"
    schedule: _ScheduleForm = "cosine"
    batch_size: _WholeForm = _RECIPE.batch_size
    learning_rate: _NumberForm = _RECIPE.learning_rate
    momentum: _NumberForm = _RECIPE.momentum
    weight_decay: _NumberForm = _RECIPE.weight_decay
    warmup_epochs: _NumberForm = _RECIPE.warmup_epochs
    label_smoothing: _NumberForm = _RECIPE.label_smoothing
    balance: Annotated[Literal["none", "weights", "sampling"], _FIXED] = "none"
    crop: _PixelsForm = _RECIPE.crop
    cutout: _PixelsForm = _RECIPE.cutout
    precision: Annotated[Literal["auto", "float32", "bfloat16"], _FIXED] = "auto"
    memory_format: Annotated[Literal["auto", "channels_first", "channels_last"], _FIXED] = "auto"
    compile: Annotated[Literal["auto", "never", "always"], _FIXED] = "auto"
    monte_carlo: Annotated[Whole, _FIXED] = _RECIPE.monte_carlo
    record: Annotated[Literal["none", "flow"], _FIXED] = "none"  # no part of what a training is

    @model_validator(mode="before")
    @classmethod
    def _no_epochs(cls, given: object) -> object:
        if isinstance(given, Mapping) and "epochs" in given:
            why = "epochs are the fidelity and not searched: scheduler.max_epochs says how many there are"
            raise InputError(why, place="recipe.epochs")
        return given

    @field_serializer(*SEARCHED)
    def _plain(self, form: Any) -> Any:
        return form.model_dump(by_alias=True, exclude_defaults=True) if isinstance(form, Form) else form

    @property
    def searched(self) -> dict[str, DomainForm]:
        """Return the domains of what is searched, in the order in which it is chosen."""
        return {name: form for name in SEARCHED if isinstance(form := getattr(self, name), DomainForm)}

    def recipe(self, epochs: int) -> Recipe:
        """Return what trains where a trial has chosen nothing else; what is searched stands at its default.

        Raises:
            InputError: a value is none of a recipe's.
        """
        names = type(self).model_fields.keys() - self.searched.keys() - BESIDE
        fixed = {name: getattr(self, name) for name in names}
        return Recipe(epochs=epochs, **fixed)


def with_recipe(space: SearchSpace, networks: Mapping[str, ParameterForm], form: RecipeForm) -> SearchSpace:
    """Return a space in which what is searched of the recipe stands behind what is searched of networks.

    Raises:
        InputError: with the place below `recipe`.
    """
    earlier = {item.name: item for item in space.parameters}
    forms = {**networks, **{name: getattr(form, name) for name in SEARCHED}}
    for name, given in form.searched.items():
        earlier[name] = parameter_of(name, given, earlier, forms)
        _check_values(earlier[name], place_of(name, given))
    return replace(space, parameters=tuple(earlier.values()), beside=tuple(form.searched))


_KINDS: dict[type, tuple[tuple[type, ...], str]] = {
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "a word"),
    NoneType: ((int,), "a whole number"),  # of pixels, where nothing means the data's own
}


def _check_values(item: Parameter, place: str) -> None:
    for value in _ends(item.domain):
        types, what = _KINDS[type(getattr(_RECIPE, item.name))]
        if isinstance(value, bool) or not isinstance(value, types):
            raise InputError(f"{shown(value)} is not {what}", place=place)
        try:
            _RECIPE.chosen({item.name: value})
        except InputError as error:
            raise InputError(error.message, place=place) from error


def _ends(domain: Domain) -> tuple[Scalar, ...]:
    """Return the values that are wrong if any is."""
    return domain.options if isinstance(domain, Choice) else (domain.low, domain.high)
