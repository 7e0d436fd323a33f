"""What a person lets an agent spend and set: one allowance for all studies of a folder, and which files start."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.config.source import read_sections
from search.config.study import StudyConfig, load
from search.core.environment import variables
from search.storage import counts
from search.storage.store import Store
from search.study.heartbeat import alive_s
from spaces.errors import InputError

DATABASE = "sqlite:///widefront.db"  # of the folder
FREE = ("study", "space", "constraints", "scheduler", "sampler", "recipe", "budget", "objectives")  # an agent may set
COMMAND, NETWORK = "command", "network"  # keys of a file that bring somebody's code


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What one study has used."""

    trials: int = 0
    hours: float = 0.0  # that its launches were alive, and its analyses took
    trainings: int = 0  # with other seeds


def spent_in(store: Store) -> dict[str, Spent]:
    """Return what each study of a database has used, by its name."""
    trials, again, analysed_s = counts.trials(store), counts.trained_again(store), counts.analysed_s(store)
    hours = {name: (alive_s(store.sessions(name)) + analysed_s.get(name, 0.0)) / 3600 for name in store.names()}
    return {
        name: Spent(trials=trials.get(name, 0), hours=spent, trainings=again.get(name, 0))
        for name, spent in hours.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a person lets an agent spend, all studies of the folder together."""

    trials: int
    hours: float  # that launches are alive, and analyses take
    trainings: int  # of confirmations

    def left(self, spent: Mapping[str, Spent]) -> dict[str, Any]:
        """Return what no study has spent."""
        return {
            "trials": self.trials - sum(each.trials for each in spent.values()),
            "hours": round(self.hours - sum(each.hours for each in spent.values()), 4),
            "trainings": self.trainings - sum(each.trainings for each in spent.values()),
        }

    def bounds(self, config: StudyConfig, spent: Mapping[str, Spent]) -> dict[str, Any]:
        """Return the budget of a study within what is left: trials and hours are counted from its beginning."""
        left, mine, asked = self.left(spent), spent.get(config.study, Spent()), config.budget
        return {
            "budget.trials": min(each for each in (asked.trials, mine.trials + left["trials"]) if each is not None),
            "budget.hours": round(
                min(each for each in (asked.hours, mine.hours + left["hours"]) if each is not None), 4
            ),
        }


def allowed(file: str, settings: Sequence[str] = ()) -> StudyConfig:
    """Return a study's file, if it lies in the folder and an agent may set what it sets.

    Raises:
        InputError: it does not, or cannot be read.
    """
    path = Path(path_of(file))
    for setting in settings:
        section = setting.partition("=")[0].partition(".")[0].strip()
        if section not in FREE:
            raise InputError(f"{section} is the person's to set; {', '.join(FREE)} are yours")
    _check_persons(path, settings)  # before it is loaded, which imports packages
    config = load(path, settings)
    if config.storage != DATABASE:
        why = f"the study's storage has to be {DATABASE}, by which the allowance is counted"
        raise InputError(why, place="storage")
    return config


def path_of(file: str) -> str:
    """Return where a file of the folder lies; no option of a command begins so.

    Raises:
        InputError: it lies elsewhere.
    """
    try:
        path = Path(file).resolve()
    except (ValueError, RuntimeError) as error:  # a byte that no name has, a knot of links
        raise InputError(f"{file!r} is no name of a file") from error
    if not path.is_relative_to(Path.cwd().resolve()):
        raise InputError(f"{file} is outside of the folder")
    return str(path)


def _check_persons(path: Path, settings: Sequence[str]) -> None:
    """Refuse settings by which a program runs or a variable is read that the file does not name, however spelt.

    Raises:
        InputError: they do, or the file or a setting cannot be read.
    """
    persons, asked = read_sections(path, ()), read_sections(path, settings)
    named = [*_code(persons)]
    if any(each not in named for each in _code(asked)):
        raise InputError(f"what runs a program ({COMMAND}, {NETWORK}) is the person's to set: no command is yours")
    for section, value in asked.items():
        if set(variables(str(value))) - set(variables(str(persons.get(section)))):
            raise InputError("variables of the environment are the person's to name", place=section)


def _code(sections: Mapping[str, Any]) -> Iterator[Any]:
    """Yield what brings somebody's code: objectives that commands measure, and a function that builds networks."""
    objectives, space = sections.get("objectives"), sections.get("space")
    for each in objectives if isinstance(objectives, list) else [objectives]:
        if isinstance(each, Mapping):
            yield each
    if isinstance(space, Mapping) and NETWORK in space:
        yield space[NETWORK]
