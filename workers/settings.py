"""Read what commands are given, and say in one line what is wrong with it."""

import argparse
import json

import torch

from spaces.architecture import Architecture
from spaces.errors import InputError
from spaces.names import asked
from spaces.settings import with_settings
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
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="for computing on a processor")


def set_threads(count: int) -> None:
    """Let this process compute on so many threads.

    Raises:
        InputError: there are none; placed at `--threads`.
    """
    if count < 1:
        raise InputError(f"{count} is below 1", place="--threads")
    use_threads(count)


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
