"""Read what commands are given, and say in one line what is wrong with it."""

import argparse
import json
import os
import sys

import torch

from spaces.architecture import Architecture
from spaces.errors import InputError
from spaces.names import asked
from spaces.settings import with_settings
from workers.cores import cores, idle_cores, load
from workers.dataspec import data_spec
from workers.device import use_threads
from workers.sources import DataSpec


def add_arguments(
    parser: argparse.ArgumentParser, told: str = "a name such as wrn-16-2, or a JSON file of an architecture"
) -> None:
    """Add what every command about one network takes: which network, `--device` and `--threads`."""
    parser.add_argument("network", nargs="?", help=told)
    parser.add_argument("--set", action="extend", nargs="+", default=[], metavar="FIELD=VALUE", help="fields of it")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    add_threads(parser)


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Add `--threads`."""
    parser.add_argument("--threads", type=int, help="for computing on a processor (as many as cores are idle)")


def set_threads(count: int | None) -> tuple[int, str]:
    """Let this process compute on so many threads; where nobody says, on those cores that are idle.

    Returns:
        How many, and what is to be said of it (`say`), once nothing that was given is refused.

    Raises:
        InputError: there are none; placed at `--threads`.
    """
    if count is not None and count < 1:
        raise InputError(f"{count} is below 1", place="--threads")
    chosen, said = _usual() if count is None else (count, "")
    use_threads(chosen)
    return chosen, said


def say(line: str) -> None:
    """Tell whoever reads a terminal a line, if there is one."""
    if line:
        print(line, file=sys.stderr)


def _usual() -> tuple[int, str]:
    """Return what the environment says, or as many as cores are idle, and a line where that is not all of them."""
    if "OMP_NUM_THREADS" in os.environ:
        return torch.get_num_threads(), ""
    most = min(torch.get_num_threads(), cores())
    chosen = min(most, idle_cores())
    busy = f"computing on {chosen} of {most} cores, as others are busy (load {load():.1f})"
    return chosen, f"{busy}; --threads {most} takes them all" if chosen < most else ""


def architecture_of(given: argparse.Namespace) -> Architecture:
    """Return the architecture that a command's arguments describe.

    Raises:
        InputError: they describe none.
    """
    return asked(given.network, given.set).architecture if given.network else with_settings(Architecture(), given.set)


def read_data(text: str) -> DataSpec:
    """Return the data that a name or a JSON object describes.

    Raises:
        InputError: it describes none; placed at `--data`.
    """
    try:
        return data_spec(json.loads(text) if text.startswith("{") else text)
    except json.JSONDecodeError as error:
        raise InputError(f"{text!r} is not JSON: {error}", place="--data") from error
    except InputError as error:
        raise error.at("--data") from error
