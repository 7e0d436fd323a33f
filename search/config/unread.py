"""Keys of the `scheduler` section that its scheduler does not read: refused, or dropped where the name was changed."""

from collections.abc import Mapping, Sequence
from typing import Any

from search.config.sections import SchedulerForm
from search.schedulers.base import keys
from search.schedulers.registry import names, readers, scheduler_class
from spaces.errors import InputError

NAME = "scheduler.name"


def unread(form: SchedulerForm) -> list[InputError]:
    """Return one error for each key that is given in vain."""
    return [InputError(_why(form.name, key), place=f"scheduler.{key}") for key in form.unread]


def refuse(form: SchedulerForm) -> None:
    """Refuse the first key that is given in vain.

    Raises:
        InputError: naming the schedulers that read it.
    """
    if found := unread(form):
        raise found[0]


def drop(given: Mapping[str, Any], settings: Sequence[str], *, stored: bool = False) -> list[str]:
    """Take away what a file says for another scheduler than the one that `--set` names, and return a line for each.

    Args:
        given: a file's sections, with the settings in them.
        settings: `scheduler.name=asha` and the like; what they themselves set stays, to be refused.
        stored: the sections are a study's of before, when every key was written out, whether it was read or not.
    """
    named = {setting.partition("=")[0] for setting in settings}
    section = given.get("scheduler")
    if not (stored or NAME in named) or not isinstance(section, dict) or section.get("name", "auto") not in names():
        return []
    name = section.get("name", "auto")
    reads = {"name", *keys(scheduler_class(name).options_class)}
    vain = [key for key in section if key not in reads and readers(key) and f"scheduler.{key}" not in named]
    for key in vain:
        del section[key]
    return [f"scheduler.{key} of the file is left out: {_why(name, key)}" for key in vain]


def _why(name: str, key: str) -> str:
    *others, last = readers(key)
    read = f"{', '.join(others)} and {last} do" if others else f"{last} does"
    return f"{name} does not read {key}; {read}"
