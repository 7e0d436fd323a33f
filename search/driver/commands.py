"""The commands that measure a study's networks: looked at before anything starts, and tried on one network."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from search.config.study import StudyConfig
from search.core.environment import private, without
from search.core.units import format_duration
from search.devices.bench import Bench, Unmeasured
from search.devices.costs import Devices, Memory
from search.driver.survey import Survey
from spaces.architecture import ImageSpec
from spaces.errors import InputError
from workers.command import Answer, Command, missing


def check_commands(config: StudyConfig) -> None:
    """Refuse commands for which something is not installed, or that are not here.

    Raises:
        InputError: with the place in the file.
    """
    for place, form in config.asking.values():
        why = missing(form.asks.forms) or _not_here(form.asks)
        if why:
            raise InputError(why, place=f"{place}.command")


def _not_here(command: Command) -> str:
    program = command.words[0]
    if command.by_shell or "{" in program or shutil.which(program):
        return ""
    return f"{program} may not be executed" if os.path.isfile(program) else f"{program} is not here"  # noqa: PTH113


@contextmanager
def devices(config: StudyConfig, image: ImageSpec, memory: Memory) -> Iterator[Devices | None]:
    """Give what measures a study's networks, or nothing where no command does; what runs in the end is ended.

    Commands do not see where the database is.
    """
    if not config.asking:
        yield None
        return
    environment = dict(os.environ)
    with without(private(config.storage_variables), environment):
        bench = Bench(environment)
    with bench:
        commands = {name: form.asks for name, (_, form) in config.asking.items()}
        packages = {name: each.source for name, each in config.packages.items() if each.trains}
        yield Devices(commands=commands, image=image, bench=bench, memory=memory, packages=packages)


def tried(config: StudyConfig, measuring: Devices | None, seen: Survey) -> list[str]:
    """Return a line for each command: what it tells of the space's smallest network.

    Raises:
        InputError: it tells nothing, so that a study would begin in vain.
    """
    if measuring is None:
        return []
    params, _ = seen.ends(lambda cost: cost.macs)[0]
    try:
        found = measuring.first(config.search_space.architecture(params))
    except Unmeasured as error:
        place = f"{config.asking[error.name][0]}.command"
        raise InputError(f"the smallest network was not measured: {error}", place=place) from error
    return [_line(name, config.measures[name].unit, each) for name, each in found.items()]


def _line(name: str, unit: str, found: Answer) -> str:
    spread = "" if found.deviation is None else f" (deviation {found.deviation:.3g})"
    took = format_duration(found.took_s)
    return f"{name:<10} {found.value:.4g} {unit}{spread} for the smallest network, measured in {took}"
