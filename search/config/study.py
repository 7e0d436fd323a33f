"""Read `space.yaml`, the one file a person writes: text in, a frozen and validated StudyConfig out.

Every error is an InputError that names its place in the file, such as `space.depth.int`.
"""

import json
import math
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PrivateAttr, ValidationError, field_serializer, field_validator

from search.callbacks.registry import check
from search.config import unread
from search.config.command import CommandForm, ObjectiveForm, name_of
from search.config.errors import refusal
from search.config.listening import Callbacks, NotifyForm, check_secrets
from search.config.plugins import load_plugins
from search.config.recipe import RecipeForm, with_recipe
from search.config.sections import (
    BudgetForm,
    CheckpointsForm,
    ConfirmForm,
    ConstraintForm,
    Form,
    ResourcesForm,
    SamplerForm,
    SchedulerForm,
    name_alone,
    shown,
)
from search.config.source import expand_all, read_sections
from search.config.space import STUDY, ParameterForm, Start, chosen, parse_space
from search.core.environment import variables
from search.samplers.registry import check_sampler
from spaces.cost import Cost
from spaces.domains import Scalar, largest, smallest
from spaces.errors import InputError, unknown
from spaces.packages import Package
from spaces.space import NETWORK, SearchSpace
from workers.dataspec import data_spec
from workers.objectives import OBJECTIVES, Objective
from workers.recipe import Recipe
from workers.sources import DataSpec


class StudyConfig(Form):
    """One study's file."""

    study: Annotated[str, Field(pattern=r"^\w[\w.+-]{0,99}$")]
    data: str | dict[str, Any]
    space: dict[str, ParameterForm]
    listed: tuple[ObjectiveForm, ...] = Field(default=("accuracy", "macs"), alias="objectives")
    constraints: dict[str, str] = Field(default_factory=dict)
    start: Start = ()
    sampler: SamplerForm = SamplerForm()
    scheduler: SchedulerForm = SchedulerForm()
    budget: BudgetForm = BudgetForm(trials=60)
    recipe: RecipeForm = RecipeForm()
    resources: ResourcesForm = ResourcesForm()
    storage: str = "sqlite:///widefront.db"
    checkpoints: CheckpointsForm = CheckpointsForm()
    confirm: ConfirmForm = ConfirmForm(seeds=0)
    plugins: tuple[str, ...] = ()
    notify: NotifyForm = NotifyForm()
    callbacks: Callbacks = Field(default_factory=dict)
    _packages: dict[str, Package] = PrivateAttr(default_factory=dict)
    _storage_text: str = PrivateAttr("")
    _file: str = PrivateAttr("")
    _written: dict[str, Any] = PrivateAttr(default_factory=dict)  # the file's sections, no variable looked up
    _dropped: list[str] = PrivateAttr(default_factory=list)

    _name_alone = field_validator("sampler", "scheduler", mode="before")(name_alone)

    @field_validator("data", mode="before")
    @classmethod
    def _name_or_mapping(cls, given: object) -> object:
        if given is None:
            raise ValueError("is empty")
        if not isinstance(given, (str, Mapping)):
            raise ValueError(f"{shown(given)} is neither a data set's name nor a mapping such as {{npz: file.npz}}")
        return given

    @field_validator("listed")
    @classmethod
    def _known_objectives(cls, given: tuple[ObjectiveForm, ...]) -> tuple[ObjectiveForm, ...]:
        names = [name_of(each) for each in given]
        for each in given:
            if isinstance(each, str) and each not in OBJECTIVES:
                raise ValueError(unknown("objective", each, OBJECTIVES))
        if len(names) != len(set(names)) or len(names) < 2:
            raise ValueError("a front needs at least two different objectives")
        if not any(OBJECTIVES[name].quality for name in names if name in OBJECTIVES):
            raise ValueError("at least one objective must say how good a network is: accuracy or loss")
        return given

    @property
    def packages(self) -> dict[str, Package]:
        """Return the packages that were loaded for it, by name."""
        return self._packages

    @property
    def objectives(self) -> tuple[str, ...]:
        """Return their names, in the order of the file."""
        return tuple(name_of(each) for each in self.listed)

    @cached_property
    def asking(self) -> dict[str, tuple[str, CommandForm]]:
        """Return the objectives that commands measure by their names, each with its place in the file."""
        forms = [(f"objectives.{index}", each) for index, each in enumerate(self.listed)]
        found = {each.name: (place, each) for place, each in forms if isinstance(each, CommandForm)}
        for place, form in found.values():
            try:
                form.check()
            except InputError as error:
                raise error.at(place) from error
            if form.name in self.space:
                raise InputError(f"{form.name!r} is a parameter of the space too: take another", place=f"{place}.name")
        return found

    @cached_property
    def measures(self) -> Mapping[str, Objective]:
        """Return what there is to optimise and to bound, by name."""
        return {**OBJECTIVES, **{name: form.objective for name, (_, form) in self.asking.items()}}

    @property
    def dropped(self) -> list[str]:
        """Return a line for each key of the file that was left out, as `--set` names another scheduler."""
        return self._dropped

    @property
    def storage_variables(self) -> tuple[str, ...]:
        """Return the names of the environment variables that the storage was made of."""
        return variables(self._storage_text)

    @property
    def own_variables(self) -> tuple[str, ...]:
        """Return the variables that are the driver's alone: of the storage, and of who hears of the study."""
        heard = {name: self._written.get(name) for name in ("notify", "callbacks")}
        return (*self.storage_variables, *variables(str(heard)))

    @property
    def storage_text(self) -> str:
        """Return the storage as it was written, its variables not looked up."""
        return self._storage_text or self.storage

    @property
    def file(self) -> str:
        """Return the path of the file that was loaded; nothing where values were given."""
        return self._file

    @cached_property
    def search_space(self) -> SearchSpace:
        """Return the space that the study searches."""
        try:
            networks = parse_space(self.space)
        except InputError as error:
            raise error.at("space") from error
        try:
            return with_recipe(networks, self.space, self.recipe)
        except InputError as error:
            raise error.at("recipe") from error

    @cached_property
    def data_spec(self) -> DataSpec:
        """Return the data set and how it is split."""
        try:
            return data_spec(self.data).resolved(Path.cwd())  # workers may stand in another folder
        except InputError as error:
            raise error.at("data") from error

    @cached_property
    def starting(self) -> list[tuple[str, Mapping[str, Scalar]]]:
        """Return the values of every network that the study starts with, and where it stands in the file."""
        found = []
        for index, given in enumerate(self.start):
            place = f"start.{given if isinstance(given, str) else index}"
            if isinstance(given, str) or STUDY not in given:
                found.append((place, chosen(self.search_space, given, place)))
        return found

    @cached_property
    def starting_studies(self) -> list[tuple[str, str]]:
        """Return the names of the studies with whose fronts this one starts, and where each stands in the file."""
        given = [(index, each) for index, each in enumerate(self.start) if isinstance(each, dict) and STUDY in each]
        return [(f"start.{index}.{STUDY}", str(each[STUDY])) for index, each in given]

    @cached_property
    def bounds(self) -> dict[str, ConstraintForm]:
        """Return the constraints by the name of what they bound."""
        return {name: _bound(name, text, self.measures) for name, text in self.constraints.items()}

    @cached_property
    def full_recipe(self) -> Recipe:
        """Return how trials are trained, full fidelity included; what is searched stands at its default."""
        try:
            return self.recipe.recipe(self.scheduler.max_epochs)
        except InputError as error:
            raise error.at("recipe") from error

    def recipe_of(self, params: Mapping[str, Scalar]) -> Recipe:
        """Return how a trial is trained that has chosen these values, those of its network among them."""
        return self.full_recipe.chosen(params)

    @cached_property
    def extreme_recipe(self) -> Recipe:
        """Return the recipe of the largest batches, the lowest rate, adamw, and the most that is cut off images.

        As far as a trial may have them: its steps are the fewest, it takes most memory, a rate that is too high for it
        is so for all, and images that are large enough for it are so for all.
        """
        domains = {item.name: item.domain for item in self.search_space.parameters}
        picks = {"batch_size": largest, "learning_rate": smallest, "optimizer": smallest}  # adamw comes before sgd
        picks |= {"crop": largest, "cutout": largest}
        return self.recipe_of({name: pick(domains[name]) for name, pick in picks.items() if name in domains})

    def violations(self, cost: Cost) -> dict[str, float]:
        """Return by how much a cost oversteps each constraint, as a share of its limit; 0 or less keeps it.

        A constraint on what nobody has measured of the network yet is left out.
        """
        known = {name: self.measures[name].value(cost, None) for name in self.bounds}
        return {name: self.bounds[name].violation(value) for name, value in known.items() if not math.isnan(value)}

    @field_serializer("space")
    def _plain_space(self, forms: dict[str, ParameterForm]) -> dict[str, Any]:
        return {
            name: form.model_dump(by_alias=True, exclude_defaults=True) if isinstance(form, Form) else form
            for name, form in forms.items()
        }

    def plain(self) -> dict[str, Any]:
        """Return the file's content as plain values; the storage and values of variables may be secrets: left out."""
        told = self.model_dump(by_alias=True, mode="json", exclude={"storage"}, exclude_none=True)
        for name, asked in (("plugins", self.plugins), ("notify", self.notify.urls), ("callbacks", self.callbacks)):
            if not asked:
                del told[name]  # as files of before
            elif variables(str(self._written.get(name))):
                told[name] = self._written[name]
        for index, each in enumerate(self._written.get("objectives") or ()):
            if isinstance(each, Mapping) and variables(str(each.get("command"))):
                told["objectives"][index]["command"] = each["command"]
        if variables(str(self._written.get("data"))):
            told["data"] = self._written["data"]
        folder = self._written.get("checkpoints")
        folder = folder.get("folder") if isinstance(folder, dict) else folder
        if variables(str(folder)):
            told["checkpoints"]["folder"] = folder
        return told

    def _check_prices(self) -> None:
        """Refuse a budget that nothing would ever be counted against."""
        if self.budget.gpu_hours and not self.resources.gpus_per_trial:
            raise InputError("trials take no GPU (resources.gpus_per_trial)", place="budget.gpu_hours")
        if self.budget.cost and not self.resources.rates.price:
            raise InputError("an hour of a trial is free: give resources a price_per_gpu_hour or a price_per_cpu_hour",
                             place="budget.cost")  # fmt: skip

    @property
    def engine(self) -> bool:
        """Return whether trials share a process of their device: only where that is asked for.

        `auto` is where it pays, and nobody has measured it on a GPU yet, so there it pays nowhere.
        """
        return self.resources.engine == "always"

    def _check_engine(self) -> None:
        """Refuse an engine where each trial has a GPU, or several, to itself."""
        if self.resources.engine == "always" and self.resources.gpus_per_trial >= 1:
            why = f"always is for trials that share a device, and gpus_per_trial is {self.resources.gpus_per_trial:g}"
            raise InputError(f"{why}; take auto, or less than 1", place="resources.engine")

    def _check_record(self) -> None:
        if self.recipe.record == "flow" and NETWORK in dict(self.search_space.fixed):
            why = "flow is of blocks, and nobody knows those of networks that a function builds"
            raise InputError(why, place="recipe.record")

    def check(self) -> "StudyConfig":
        """Look at every section, so that what is wrong is said before anything starts."""
        for name, options in self.callbacks.items():
            try:
                check(name, options)
            except InputError as error:
                raise error.at(f"callbacks.{name}") from error
        for _section in (self.asking, self.search_space, self.data_spec, self.bounds, self.full_recipe, self.starting):
            pass  # to read a section is to check it
        check_sampler(self.sampler.name, self.search_space.parameters)
        self.scheduler.plan(None)  # its name is known or not
        if self.scheduler.grace_epochs > self.scheduler.max_epochs:
            raise InputError(
                f"grace_epochs {self.scheduler.grace_epochs} is above max_epochs {self.scheduler.max_epochs}",
                place="scheduler.grace_epochs",
            )
        if "peak_bytes" in self.objectives and not self.resources.gpus_per_trial:
            raise InputError(
                "peak_bytes of one trial is measured on GPUs only; take training_bytes", place="objectives"
            )
        if not self.budget.model_dump(exclude_none=True):
            raise InputError("name at least one of trials, epochs, gpu_hours, hours, cost", place="budget")
        self._check_record()
        self._check_engine()
        self._check_prices()
        if self.resources.gpus_per_trial > 1 and self.resources.gpus_per_trial % 1:
            given = f"{self.resources.gpus_per_trial:g} is neither at most 1 nor a whole number"
            raise InputError(given, place="resources.gpus_per_trial")
        return self


def _bound(name: str, text: str, measures: Mapping[str, Objective]) -> ConstraintForm:
    place = f"constraints.{name}"
    static = [key for key, objective in measures.items() if objective.static]
    if name not in measures:
        raise InputError(unknown("constraint", name, static), place=place)
    if name not in static:
        raise InputError("is known only after training; constraints are checked before", place=place)
    try:
        return ConstraintForm.parse(text)
    except InputError as error:
        raise error.at(place) from error


def load(path: Path, settings: Sequence[str] = (), environment: Mapping[str, str] | None = os.environ) -> StudyConfig:
    """Return the study that a file describes.

    Args:
        path: the file.
        settings: `scheduler.max_epochs=3` and the like, each replacing one leaf.
        environment: where `${NAME}` is looked up; with None it stays as it stands.

    Raises:
        InputError: the first thing that is wrong, and where.
    """
    given = read_sections(path, settings)
    dropped = unread.drop(given, settings)
    check_secrets(given)
    config = parse(expand_all(given, environment, path))
    config._storage_text, config._written, config._dropped = str(given.get("storage", "")), given, dropped
    config._file = str(path)
    return config


def parted(path: Path, settings: Sequence[str] = ()) -> tuple[str, str]:
    """Return what a file says but for its storage and its comments, as JSON, which is YAML too; and the storage.

    Args:
        path: a file that can be loaded.
        settings: as for `load`; they are part of what is returned.

    Raises:
        InputError: as `load`.
    """
    given = read_sections(path, settings)
    unread.drop(given, settings)
    storage = str(given.pop("storage", StudyConfig.model_fields["storage"].default))
    return json.dumps(given, ensure_ascii=False, indent=1, default=str) + "\n", storage


def parse(given: Mapping[str, Any]) -> StudyConfig:
    """Return the study that plain values describe.

    Raises:
        InputError: the first thing that is wrong, and where.
    """
    packages = load_plugins(given)  # before names are looked up that they bring
    try:
        config = StudyConfig.model_validate(given)
        config._packages = packages
        return config.check()
    except ValidationError as error:
        raise refusal(error.errors(include_url=False), StudyConfig) from error
