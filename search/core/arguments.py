"""What commands are given: which study, and numbers within bounds, or a line on what was given instead."""

import argparse
from collections.abc import Callable


def add_study(parser: argparse.ArgumentParser) -> None:
    """Add which study is meant: the database's URL and its name there."""
    parser.add_argument("url", help="the database, such as sqlite:///widefront.db; ${NAME} is looked up")
    parser.add_argument("--study", help="its name; may be left out where there is only one")


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return what reads a whole number within bounds, for argparse."""

    def read(text: str) -> int:
        if not (text.isdecimal() and text.isascii() and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
        return int(text)

    return read


def number(least: float, most: float) -> Callable[[str], float]:
    """Return what reads a number within bounds, for argparse."""

    def read(text: str) -> float:
        try:
            found = float(text)
        except ValueError:
            found = float("nan")
        if not least <= found <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least:g} to {most:g}")
        return found

    return read


def numbers(text: str) -> tuple[int, ...]:
    """Return the trials that `3,18` names, each once."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and part.isascii() for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of trials such as 3,18")
    return tuple(dict.fromkeys(map(int, parts)))
