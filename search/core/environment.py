"""Put values of environment variables into texts, so that secrets need not stand in files or on command lines.

A variable that a database's address is made of is the driver's alone: workers get an environment without it.
"""

import re
from collections.abc import Collection, Iterator, Mapping, MutableMapping
from contextlib import contextmanager

from spaces.errors import InputError

_VARIABLE = re.compile(r"\$\{(\w+)\}")
HOW_TOKEN = "`ray get-auth-token` on the head prints it; put it into RAY_AUTH_TOKEN, or into ~/.ray/auth_token"
SHORTEST = 4  # characters of a value that is hidden: shorter ones stand in many words
_looked_up: dict[str, str] = {}  # every value that this process has put into a text, by its variable's name

# What PostgreSQL's own library reads, and what the report is told.
DATABASE = frozenset({
    "PGPASSWORD", "PGPASSFILE", "PGSERVICE", "PGSERVICEFILE", "PGHOST", "PGHOSTADDR", "PGPORT", "PGUSER", "PGDATABASE",
    "PGSSLKEY", "PGSSLPASSWORD", "WIDEFRONT_STORAGE",
})  # fmt: skip
# No secrets, and nothing starts without them: `sqlite:///${HOME}/study.db` takes no worker's home away.
EVERYBODYS = frozenset({"HOME", "PATH", "TMPDIR", "USER", "LOGNAME", "HOSTNAME", "PWD", "SHELL", "LANG", "PYTHONPATH"})


def expand(text: str, environment: Mapping[str, str] | None, *, place: str = "") -> str:
    """Return the text with every `${NAME}` replaced; without an environment, as it stands.

    Raises:
        InputError: a variable is not set. Its value is never part of a message.
    """

    def look_up(found: re.Match[str]) -> str:
        if environment is None:
            return found[0]
        if found[1] not in environment:
            raise InputError(f"the environment variable {found[1]} is not set", place=place)
        _looked_up[found[1]] = environment[found[1]]
        return environment[found[1]]

    return _VARIABLE.sub(look_up, text)


def hide(text: str) -> str:
    """Return a text for people with `${NAME}` for every value that was looked up; what is a part of a word stays."""
    names = {value: name for name, value in _looked_up.items() if len(value) >= SHORTEST}
    if not names:
        return text
    values = "|".join(map(_alone, sorted(names, key=len, reverse=True)))
    found = re.compile(rf"\$\{{\w+\}}|{values}")
    return found.sub(lambda each: f"${{{names[each[0]]}}}" if each[0] in names else each[0], text)


def _alone(value: str) -> str:
    """Return a pattern of a value that stands for itself: at an end that is of a word, the word ends."""
    begin, end = (r"(?<!\w)" if value[0].isalnum() else ""), (r"(?!\w)" if value[-1].isalnum() else "")
    return f"{begin}{re.escape(value)}{end}"


def variables(text: str) -> tuple[str, ...]:
    """Return the names of the variables that a text asks for."""
    return tuple(dict.fromkeys(_VARIABLE.findall(text)))


def private(storage_variables: Collection[str]) -> frozenset[str]:
    """Return the variables that no worker may see, given those that the storage's text asks for."""
    return DATABASE.union(storage_variables) - EVERYBODYS


@contextmanager
def without(names: Collection[str], environment: MutableMapping[str, str]) -> Iterator[None]:
    """Take variables out of an environment, and put them back in the end."""
    taken = {name: environment.pop(name) for name in sorted(names) if name in environment}
    try:
        yield
    finally:
        environment.update(taken)
