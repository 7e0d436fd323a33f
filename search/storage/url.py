"""Read the URL of a database, and show it without its password."""

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from search.core.environment import expand, variables
from spaces.errors import InputError

FORMS = "sqlite:///file.db or postgresql+psycopg://user:password@host/database"


_DRIVERS = ("sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg")


def shown(address: URL) -> str:
    """Return the URL without its password."""
    hidden = {key: "***" for key in address.query if "password" in key.lower()}
    told = address.update_query_dict(hidden).render_as_string(hide_password=True)
    return told.replace("///file%3A", "///file:", 1)


def read_url(url: str) -> URL:
    """Return a URL in parts.

    Raises:
        InputError: it is of no database that can be used; no piece of a password is quoted.
    """
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):  # its message may hold a piece of the password
        raise InputError(f"the storage address cannot be read; {FORMS} is required") from None
    if address.drivername not in _DRIVERS:
        raise InputError(f"unsupported database {address.drivername!r}; {FORMS} is required")
    if address.get_backend_name() == "sqlite":
        _check_file(address)
    elif url.count("@") > 1:
        raise InputError("the storage address has more than one @; write the password's as %40")
    return address


def optunas_url(url: str) -> str:
    """Return a URL as Optuna wants it, which takes it for a template of `str.format`."""
    return url.replace("{", "{{").replace("}", "}}")


def is_for_reading(address: URL) -> bool:
    """Whether an address is SQLite's own kind of a URI and asks for nothing but to read."""
    asked = address.normalized_query
    return (address.database or "").startswith("file:") and (
        asked.get("mode") == ("ro",) or asked.get("immutable") == ("1",)
    )


def sqlite_file(address: URL) -> Path:
    """Return the file that an address of SQLite names."""
    name = address.database or ""
    if not name.startswith("file:"):
        return Path(name)
    path = unquote(name.removeprefix("file:"))
    return Path(path.removeprefix("//") if path.startswith("///") else path)


def is_there(url: str) -> bool:
    """Whether a database may be where a URL says: of SQLite its file, of a server that has to be asked.

    Raises:
        InputError: it cannot be read.
    """
    address = read_url(url)
    return address.get_backend_name() != "sqlite" or sqlite_file(address).exists()


def _check_file(address: URL) -> None:
    if address.host:
        raise InputError(f"{shown(address)} needs three slashes before the file, or four before an absolute path")
    database = address.database or ":memory:"
    if database == ":memory:" or (database.startswith("file:") and not is_for_reading(address)):
        raise InputError(f"{shown(address)} names no file; sqlite:///file.db is required")


_FILES = ("sslcert", "sslkey", "sslrootcert", "sslcrl", "sslcrldir", "sslkeylogfile", "passfile", "servicefile")


def files_in(url: str) -> list[str]:
    """Return the paths of files that an address names: SQLite's database, and what PostgreSQL's library reads.

    Raises:
        InputError: it cannot be read.
    """
    address = read_url(url)
    if address.get_backend_name() == "sqlite":
        return [str(sqlite_file(address))]
    named = address.normalized_query
    return [path for key in _FILES for path in named.get(key, ())]


_NAMED = "widefront_variable"  # stands where `${NAME}` does


def holds_secret(text: str) -> bool:
    """Whether a storage's text, its variables not looked up, holds a password or a part of one."""
    plain = re.sub(r"\$\{\w+\}", _NAMED, text)
    try:
        address = make_url(plain)
    except (ArgumentError, ValueError):
        return "@" in plain
    named = address.normalized_query
    secrets = [address.password or "", *(value for key in named if "password" in key.lower() for value in named[key])]
    return any(secret.replace(_NAMED, "") for secret in secrets)


def typed(url: str, environment: Mapping[str, str]) -> str:
    """Return an address as it can be typed again, without a password: what is `${NAME}` stays so.

    Args:
        url: as it was written.
        environment: where `${NAME}` is looked up.

    Raises:
        InputError: it cannot be read.
    """
    return url if variables(url) and not holds_secret(url) else shown_url(expand(url, environment))


def shown_url(url: str) -> str:
    """Return a URL without its password.

    Raises:
        InputError: it cannot be read.
    """
    return shown(read_url(url))
