"""What a study would do, before it does it: the space, its cost, the rungs, the expected time."""

from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console

from search.config.study import StudyConfig
from search.core.budget import Spending
from search.core.environment import hide
from search.core.labels import name_of
from search.core.units import format_bytes, format_count, format_duration, format_percent, value_text
from search.driver.survey import Member, Survey
from spaces.architecture import ImageSpec
from spaces.domains import Choice, Domain, Parameter, Scalar, middle
from spaces.errors import InputError, visible
from workers.advice import advice
from workers.datasets import Dataset
from workers.device import choose_device, use_threads
from workers.failures import classify
from workers.timing import epoch_s
from workers.trainer import TrialSpec

MOST_BYTES = 1e9  # of memory that a dry run trains in; on a processor, what takes more also takes long


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Stand for a public data set that is not here yet."""

    name: str
    image: ImageSpec
    why: str


def show(config: StudyConfig, data: Dataset | Missing, seen: Survey, console: Console) -> None:
    """Print it."""
    for line in lines(config, data, seen):
        console.print(visible(hide(line)), markup=False, highlight=False, soft_wrap=True)


def lines(config: StudyConfig, data: Dataset | Missing, seen: Survey) -> list[str]:
    """Return a line for everything there is to say."""
    smallest, largest = seen.ends(lambda cost: cost.macs)
    return [
        f"study      {config.study}",
        f"data       {data.name}: {_images(data)}",
        *(f"           {note}" for note in (() if isinstance(data, Missing) else data.notes)),
        *(f"warning    {line}" for line in (() if isinstance(data, Missing) else advice(data, config.extreme_recipe))),
        f"space      {_size(seen)}",
        *_recipe(config),
        f"allowed    {format_percent(seen.share_allowed)} of the {seen.looked_at:,} looked at"
        + (f" ({', '.join(f'{name} {text}' for name, text in config.constraints.items())})" if config.bounds else ""),
        f"smallest   {_member(config, smallest)}",
        f"largest    {_member(config, largest)}",
        *([f"start      {', '.join(map(_start, config.start))}"] if config.start else []),
        *_start_recipe(config),
        f"rungs      {config.scheduler.plan(None).told}",
        f"budget     {', '.join(f'{value:g} {name}' for name, value in _budget(config).items())}",
        f"time       {_time(config, data, seen) if isinstance(data, Dataset) else f'not measured: {data.why}'}",
    ]


def _start(given: str | Mapping[str, Scalar]) -> str:
    """Return what a study starts with as it may stand in its file."""
    return given if isinstance(given, str) else f"{{{', '.join(f'{name}: {value}' for name, value in given.items())}}}"


def _recipe(config: StudyConfig) -> list[str]:
    """Return what is searched beside networks, if anything is."""
    told = [f"{item.name} {_domain(item.domain)}" for item in _beside(config)]
    return [f"recipe     {', '.join(told)}"] if told else []


def _domain(domain: Domain) -> str:
    if isinstance(domain, Choice):
        return " or ".join(map(str, domain.options))
    return f"from {domain.low:g} to {domain.high:g}" + (" by its logarithm" if domain.log else "")


def _start_recipe(config: StudyConfig) -> list[str]:
    told = ", ".join(f"{item.name} {value_text(middle(item.domain))}" for item in _beside(config))
    return [f"           trained with {told} where nothing is said"] if told and config.start else []


def _beside(config: StudyConfig) -> list[Parameter]:
    space = config.search_space
    return [item for item in space.parameters if item.name in space.beside]


def _images(data: Dataset | Missing) -> str:
    image = data.image
    held = f"images of {image.channels}x{image.height}x{image.width}, {image.classes} classes"
    if isinstance(data, Missing):
        return f"not here yet, {held}"
    return f"{len(data.train_labels):,} training and {len(data.val_labels):,} validation {held}"


def _budget(config: StudyConfig) -> dict[str, float]:
    return config.budget.model_dump(exclude_none=True)


def _size(seen: Survey) -> str:
    if seen.size is None:
        return f"endless (a float is searched); {seen.looked_at:,} networks looked at"
    return f"{seen.size:,} choices of values"


def _member(config: StudyConfig, member: Member) -> str:
    params, cost = member
    static = [each for each in config.measures.values() if each.static]
    counted = ", ".join(f"{format_count(each.value(cost, None))} {each.name}" for each in static)
    return f"{name_of(config.search_space.architecture(params))}: {counted}"


def _time(config: StudyConfig, data: Dataset, seen: Survey) -> str:
    """Return what one epoch of a middling network takes here, and what the study may take with it."""
    ordered = sorted(seen.allowed, key=lambda member: member[1].activations)
    params, cost = ordered[len(ordered) // 2]
    use_threads(config.resources.cpus_per_trial)
    try:
        device = choose_device("cuda" if config.resources.gpus_per_trial else "cpu")
    except InputError:
        return "not measured: trials ask for a GPU, and this machine has none"
    architecture = config.search_space.architecture(params)
    recipe = config.recipe_of(params)
    needed = cost.training_bytes * min(1, len(data.train_labels) / recipe.batch_size)
    if device.type == "cpu" and needed > MOST_BYTES:
        return f"not measured: a step of {name_of(architecture)} takes up to {format_bytes(needed)} of memory"
    spec = TrialSpec(architecture=architecture, recipe=recipe, data=config.data_spec, seed=0)
    try:
        seconds = epoch_s(spec, data, device)
    except Exception as error:  # a network that cannot be trained here is no reason to say nothing of the others
        return f"not measured: {name_of(architecture)} {classify(error)}"
    told = f"an epoch of a middling network ({name_of(architecture)}) takes {format_duration(seconds)} here"
    trials = config.budget.trials
    if not trials:
        return told
    most = seconds * config.scheduler.max_epochs * trials
    return f"{told}; {trials} such trials in full, one after another: {format_duration(most)}{_expense(config, most)}"


def _expense(config: StudyConfig, seconds: float) -> str:
    """Return what so many seconds of training come to in GPU hours and money, where these are counted."""
    spent = Spending.of(trials=0, epochs=0, trained_s=seconds, seconds=0, rates=config.resources.rates)
    gpu = f", {spent.gpu_hours:.3g} GPU hours" if spent.gpu_hours else ""
    return gpu + (f", a cost of {spent.cost:.3g}" if spent.cost else "")
