"""Compute an analysis of trained networks that `search.analyse` has asked for, and print it as lines of JSON.

python -m workers.analyse job.json

A line is a row of what was found; the last one is how many images were looked at and what computed it.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from spaces import cli
from spaces.architecture import plan
from spaces.errors import InputError, unknown
from workers.datasets import Dataset, load
from workers.device import choose_device, fingerprint
from workers.ensembles import Member, ensembles
from workers.filters import filters
from workers.kept import Kept
from workers.lesions import lesions
from workers.mistakes import probabilities
from workers.packages import require
from workers.settings import set_threads
from workers.sources import DataSpec

Row = dict[str, Any]
SMALLEST = 3  # pixels along a side of a filter that has a form


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to be analysed."""

    kind: str
    settings: Mapping[str, Any]
    networks: Sequence[Kept]
    spec: DataSpec
    fingerprint: str  # of the study's images
    device: str = "auto"

    @classmethod
    def read(cls, path: Path) -> "Asked":
        """Return what a file asks for.

        Raises:
            InputError: it cannot be read.
        """
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            require(told["packages"])
            networks = [Kept.from_json(each) for each in told["networks"]]
            return cls(
                kind=told["kind"], settings=told["settings"], networks=networks,
                spec=DataSpec.from_json(told["data"]), fingerprint=told["fingerprint"], device=told["device"],
            )  # fmt: skip
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError("is not what search.analyse has written", place=str(path)) from error

    @cached_property
    def data(self) -> Dataset:
        """Return the study's images, on the device that computes.

        Raises:
            InputError: they cannot be read, are others now, or none is for validation.
        """
        try:
            found = load(self.spec)
        except InputError as error:
            raise error.at("data") from error
        if self.fingerprint and found.fingerprint != self.fingerprint:
            raise InputError("the images are not those that the study was begun with", place="data")
        return found.to(choose_device(self.device))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return cli.run(_parser(), argv, _run)


def _run(given: argparse.Namespace) -> int:
    asked = Asked.read(given.job)
    set_threads(given.threads)
    if asked.kind not in KINDS:
        raise InputError(unknown("analysis", asked.kind, KINDS), place=str(given.job))
    for row in KINDS[asked.kind](asked):
        print(json.dumps(row), flush=True)  # one by one: where nobody reads any more, this ends
    looked = "data" in asked.__dict__
    device = fingerprint(asked.data.train_images.device if looked else choose_device("cpu"))
    print(json.dumps({"images": len(asked.data.val_labels) if looked else 0, "machine": device}), flush=True)
    return cli.DONE


def _ensemble(asked: Asked) -> Iterator[Row]:
    members = [
        Member(trial=each.trial, cost=each.cost, probabilities=probabilities(each.take_up(asked.data).predicted()))
        for each in asked.networks
    ]
    return ensembles(members, asked.data.val_labels.cpu(), asked.settings["most"])


def _lesion(asked: Asked) -> Iterator[Row]:
    (kept,) = asked.networks
    described = plan(kept.spec.architecture)  # refuses what a function of a person's own has built
    return lesions(kept.take_up(asked.data), described, **asked.settings)


def _filters(asked: Asked) -> Iterator[Row]:
    (kept,) = asked.networks
    described = plan(kept.spec.architecture)
    if described.stem.kernel < SMALLEST:
        side = described.stem.kernel
        raise InputError(f"the first convolution of trial {kept.trial} is {side}x{side}: its filters have no form")
    held = kept.state()["network"]
    weight = held["stem.0.weight"]
    if described.stem.norm:
        weight = weight * held["stem.1.weight"].sign().reshape(-1, 1, 1, 1)
    return filters(weight)


KINDS: dict[str, Callable[[Asked], Iterator[Row]]] = {"ensemble": _ensemble, "lesion": _lesion, "filters": _filters}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m workers.analyse", description="Compute an analysis that search.analyse has asked for."
    )
    parser.add_argument("job", type=Path, help="a JSON file that search.analyse has written")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the processor")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


if __name__ == "__main__":
    sys.exit(main())
