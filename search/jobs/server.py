"""Reach the job server of a Ray cluster, and say in one line what stands in the way: address, token or version."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import requests
from ray.exceptions import AuthenticationError

from search.core.environment import HOW_TOKEN
from spaces.errors import InputError, StudyError

OLDEST = (2, 60)  # version of Ray
ANSWER_S = 15.0  # for a cluster's first answer
_EXAMPLE = "an address such as http://head:8265 is required"
_KNOWN = (
    "Connection refused", "Name or service not known", "No route to host", "Network is unreachable",
    "Temporary failure in name resolution", "Connection reset", "Remote end closed connection",
)  # fmt: skip


class Lost(StudyError):
    """Raised where a server that answered before does not now."""


def address_of(text: str) -> str:
    """Return a job server's address, with http where no scheme is given.

    Raises:
        InputError: it is none, or holds a secret.
    """
    address = (text if "://" in text else f"http://{text}").rstrip("/")
    try:
        parts = urlsplit(address)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if known and (parts.username or parts.password):
        raise InputError(f"an address holds no secret; {_EXAMPLE}", place="--address")
    if not known:
        raise InputError(f"{text!r} is no address of a job server; {_EXAMPLE}", place="--address")
    return address


def authorisation(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the header that shows the token, from where Ray looks for one; empty where there is none.

    Raises:
        InputError: what stands there is no token; it is not shown.
    """
    if environment.get("RAY_AUTH_MODE", "").lower() == "disabled":
        return {}
    token, where = environment.get("RAY_AUTH_TOKEN", "").strip(), "RAY_AUTH_TOKEN"
    if not token:
        where = environment.get("RAY_AUTH_TOKEN_PATH") or "~/.ray/auth_token"
        with suppress(OSError, RuntimeError):
            token = Path(where).expanduser().read_text(encoding="utf-8", errors="replace").strip()
    if not re.fullmatch(r"[!-~]*", token):
        raise InputError("holds no token: a token is one word", place=where)
    return {"Authorization": f"Bearer {token}"} if token else {}


def check_server(address: str, headers: Mapping[str, str]) -> None:
    """Ask a server for its version before anything else.

    Raises:
        InputError: nothing answers, it is no Ray head, it is too old, or it refuses the token.
    """
    try:
        answer = requests.get(f"{address}/api/version", headers=headers, timeout=ANSWER_S)
    except (requests.RequestException, ValueError) as error:
        raise InputError(f"cannot reach {address}: {_why(error)}", place="--address") from error
    if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise _no_entry(address, given=bool(headers))
    version = ""
    with suppress(ValueError, AttributeError):
        version = str(answer.json().get("ray_version") or "")
    _check_version(address, version)


def _check_version(address: str, version: str) -> None:
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is None:
        raise InputError(f"{address} is no dashboard of a Ray head; `ray start --head` names it", place="--address")
    if (int(found[1]), int(found[2])) < OLDEST:
        least = ".".join(map(str, OLDEST))
        raise InputError(f"{address} has Ray {version}; {least} or later is required there", place="--address")


def _no_entry(address: str, *, given: bool) -> InputError:
    what = "refuses the token that was found here" if given else "asks for a token, and there is none here"
    return InputError(f"{address} {what}: {HOW_TOKEN}")


@contextmanager
def told(address: str) -> Iterator[None]:
    """Say in one line what Ray's client complains of.

    Raises:
        InputError: the token is refused.
        Lost: there is no answer any more.
        StudyError: the server says no.
    """
    try:
        yield
    except AuthenticationError as error:
        raise _no_entry(address, given=True) from error
    except (requests.RequestException, ConnectionError, TimeoutError) as error:
        raise Lost(f"lost the connection to {address}: {_why(error)}") from error
    except (RuntimeError, ValueError) as error:
        lines = [line for line in str(error).strip().splitlines() if line.strip()] or ["no error message"]
        raise StudyError(f"{address}: {lines[-1].strip()}") from error


def _why(error: Exception) -> str:
    """Return a few words, without the pools and retries of the HTTP library."""
    if isinstance(error, (requests.Timeout, TimeoutError)):
        return f"no answer within {ANSWER_S:g} s"
    if isinstance(error, requests.exceptions.SSLError):
        return "it does not speak TLS, or its certificate is not trusted"
    return next((words.lower() for words in _KNOWN if words in str(error)), "what answers there is no HTTP")
