"""Ask a running study for something: to pause, to go on, to end; to stop, promote or train a network; for more budget.

python -m search.control URL --study S pause | resume | end | requests
python -m search.control URL --study S stop 18 | promote 18 | star 18 | unstar 18 | note 18 "text"
python -m search.control URL --study S add --trials 20 | train --like 18 --set depth=3
"""

import argparse
import getpass
import json
import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from search import cli
from search.core.arguments import add_study
from search.core.environment import expand, hide
from search.core.records import StudyRecord
from search.core.requests import ADDED, OF_A_TRIAL, Request, RequestKind, RequestState
from search.storage import asking
from search.storage.finding import find
from search.storage.living import living
from search.storage.requests import requests
from search.storage.store import Store
from spaces.domains import Scalar
from spaces.errors import InputError, StudyError, visible
from spaces.settings import value_of

EVERY_S = 0.5
STARS = {"star": True, "unstar": False}
_WAIT = "wait for the answer, and say it"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 where a launch refused what was asked."""
    return cli.run(_parser(), argv, _act)


def _act(given: argparse.Namespace) -> int:
    with asking.opened(expand(given.url, os.environ)) as store:
        study = find(store, given.study)
        if given.what == "requests":
            return _list(store, study, as_json=given.json)
        if given.what in STARS or given.what == "note":
            return _note(store, study, given)
        request = asking.ask(store, study.name, given.what, _values(store, study, given), by=given.by or _who())
        print(visible(hide(_told(study, request))))
        return _wait(store, study, request) if given.wait else cli.DONE


def _values(store: Store, study: StudyRecord, given: argparse.Namespace) -> Mapping[str, Any]:
    if given.what in OF_A_TRIAL:
        return {"trial": given.trial}
    if given.what == RequestKind.ADD:
        return {name: getattr(given, name) for name in ADDED if getattr(given, name) is not None}
    if given.what == RequestKind.TRAIN:
        return {"params": _network(store, study, given)}
    return {}


def _network(store: Store, study: StudyRecord, given: argparse.Namespace) -> Mapping[str, Scalar]:
    """Return the values that are asked for, checked against the study's space and constraints.

    Raises:
        InputError: the study would not propose them, and why.
    """
    from search.driver.wanted import wanted  # takes seconds: it builds the network to count it

    changed = {**(_read(given.values) if given.values else {}), **_settings(given.set)}
    like = _like(store, study, given.like) if given.like is not None else {}
    if not (like or changed):
        raise InputError("values are required: --values, or --like and --set")
    return wanted(study, like, changed)


def _like(store: Store, study: StudyRecord, number: int) -> Mapping[str, Scalar]:
    trial = store.trial(study.name, number)
    if trial is None:
        raise InputError(f"{study.name!r} has no trial {number}", place="--like")
    return trial.params


def _settings(texts: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"{text!r} is not of the form name=value", place="--set")
        found[name.strip()] = value_of(value)
    return found


def _read(text: str) -> dict[str, Any]:
    """Return the values that are given as JSON, or with `-` on standard input as YAML, as people write them."""
    if text == "-":
        from search.config.source import values_by_name

        return values_by_name(sys.stdin.read(), "values")
    try:
        params = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"is no JSON: {error}", place="--values") from error
    if not isinstance(params, dict):
        raise InputError('is no object such as {"depth": 3}', place="--values")
    return params


def _who() -> str:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # of a container whose user has no name
        name = str(os.getuid())
    return f"{name} on {platform.node()}"


def _told(study: StudyRecord, request: Request) -> str:
    taken = "no launch is running: the next one takes it" if request.session is None else "the launch takes it at once"
    return f"request {request.id} of {study.name}: {request}; {taken}"


def _note(store: Store, study: StudyRecord, given: argparse.Namespace) -> int:
    star, text = STARS.get(given.what), given.text if given.what == "note" else None
    asking.note(store, study.name, given.trial, star=star, text=text, by=given.by or _who())
    return cli.DONE


def _wait(store: Store, study: StudyRecord, request: Request) -> int:
    """Wait for the answer and say it.

    Raises:
        StudyError: it is refused, or no launch is left that could answer.
    """
    while True:
        now = next((each for each in requests(store, study.name) if each.id == request.id), request)
        if now.state is RequestState.REFUSED:
            raise StudyError(now.answer)
        if now.state is RequestState.DONE:
            print(visible(hide(now.answer)))
            return cli.DONE
        if living(store.sessions(study.name), datetime.now(UTC)) is None:
            raise StudyError("no launch is running that could answer; the request waits for the next")
        time.sleep(EVERY_S)


def _list(store: Store, study: StudyRecord, *, as_json: bool) -> int:
    found = requests(store, study.name)
    if as_json:
        print(json.dumps([_row(each) for each in found], indent=2))
        return cli.DONE
    for each in found:
        answer = f": {each.answer}" if each.answer else ""
        by = f" by {each.by}" if each.by else ""
        print(visible(f"{each.id}  {each.asked_at:%Y-%m-%d %H:%M:%S}  {each}{by}  {each.state}{answer}"))
    if not found:
        print(f"nothing was asked of {visible(study.name)}")
    return cli.DONE


def _row(request: Request) -> dict[str, Any]:
    return {
        "id": request.id, "kind": request.kind, "values": dict(request.values), "by": request.by,
        "asked_at": request.asked_at.isoformat(), "state": request.state.value, "answer": request.answer,
        "answered_at": request.answered_at.isoformat() if request.answered_at else None,
    }  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m search.control", description="Ask a running study for something.")
    add_study(parser)
    parser.add_argument("--wait", action="store_true", help=_WAIT)
    parser.add_argument("--by", metavar="TEXT", help="who asks (default: your name and this machine's)")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    acts = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    for name, told in (
        ("pause", "let nothing new begin; what trains goes on to its next rung and waits there"),
        ("resume", "let everything go on"),
        ("end", "end the launch as Ctrl-C does; its command goes on with the study"),
    ):
        acts.add_parser(name, help=told)
    listing = acts.add_parser("requests", help="list what was asked, and the answers")
    listing.add_argument("--json", action="store_true", help="as JSON")
    for name, told in (
        ("stop", "stop a trial at its next epoch"),
        ("promote", "let a trial that rests at a rung go on next"),
        ("star", "mark a trial"),
        ("unstar", "take the mark away"),
        ("note", "write something down about a trial; an empty text takes it away"),
    ):
        one = acts.add_parser(name, help=told)
        one.add_argument("trial", type=int, help="its number")
        if name == "note":
            one.add_argument("text", help="up to 2,000 characters")
    add = acts.add_parser("add", help="add to the budget")
    for name, kind in ADDED.items():
        add.add_argument(f"--{name.replace('_', '-')}", dest=name, type=kind, metavar="N")
    train = acts.add_parser("train", help="train this network next")
    train.add_argument("--values", metavar="JSON", help="""such as '{"block": "basic", "depth": 3}'; - reads YAML""")
    train.add_argument("--like", type=int, metavar="TRIAL", help="the values of a trial")
    train.add_argument(
        "--set", action="extend", nargs="+", default=[], metavar="NAME=VALUE", help="but with this value"
    )
    for each in acts.choices.values():
        each.add_argument("--wait", action="store_true", default=argparse.SUPPRESS, help=_WAIT)
    return parser


if __name__ == "__main__":
    sys.exit(main())
