"""Compute an analysis of trained networks that `search.analyse` has asked for, and print it as lines of JSON.

python -m workers.analyse job.json

A line is a row of what was found, or (`progress`) how far it is; the last one is how many images were looked at and
what computed it.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from spaces import cli
from spaces.architecture import plan
from spaces.errors import InputError, TrialFailure, unknown
from spaces.plain import plain_of
from workers.datasets import Dataset, load
from workers.device import choose_device, fingerprint
from workers.ensembles import Member, ensembles
from workers.filters import filters
from workers.kept import Kept
from workers.lesions import lesions
from workers.mistakes import probabilities
from workers.packages import require
from workers.retrained import Course
from workers.settings import add_threads, say, set_threads
from workers.sources import DataSpec
from workers.speeds import Timed, speeds
from workers.surfaces import TRAINING, Grid, Known, surface
from workers.trainer import Trainer

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
    timed: Sequence[Timed] = ()  # networks of which nothing but their speed is asked
    known: Sequence[Row] = ()  # rows that were found before this was broken off
    folder: Path | None = None  # of trainings that were broken off
    threads: int = 0  # of the processor; 0: as many as the command was given

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
                timed=[Timed.from_json(each) for each in told.get("timed", ())], known=told.get("known", ()),
                folder=Path(told["folder"]) if told.get("folder") else None,
                threads=told.get("threads", 0),
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

    @property
    def course(self) -> Course:
        """Return how networks are trained."""
        return Course(folder=self.folder, tell=_tell)

    @cached_property
    def looked_at(self) -> int:
        """Return how many images are looked at."""
        if self.kind == "speed":
            return 0
        if self.kind == "surface":
            whole = self.data.train_labels if self.settings["of"] == TRAINING else self.data.val_labels
            return min(int(self.settings["images"]), len(whole))
        return len(self.data.val_labels)


def _tell(what: str, done: int, of: int) -> None:
    """Say how far it is."""
    print(json.dumps({"progress": what, "done": done, "of": of}), flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return cli.run(_parser(), argv, _run)


def _run(given: argparse.Namespace) -> int:
    asked = Asked.read(given.job)
    given.threads, busy = set_threads(asked.threads or given.threads)
    if asked.kind not in KINDS:
        raise InputError(unknown("analysis", asked.kind, KINDS), place=str(given.job))
    say(busy)
    for row in KINDS[asked.kind](asked):
        print(json.dumps(row), flush=True)  # one by one: where nobody reads any more, this ends
    looked = "data" in asked.__dict__
    device = fingerprint(asked.data.train_images.device if looked else choose_device("cpu"))
    print(json.dumps({"images": asked.looked_at if looked else 0, "machine": device}), flush=True)
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
    return lesions(kept.take_up(asked.data), described, course=asked.course, **asked.settings)


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


def _surface(asked: Asked) -> Iterator[Row]:
    settings = dict(asked.settings)
    plain = settings.pop("plain")
    grid, known = Grid(**settings), Known.of(asked.known)
    whole, *others = asked.networks
    trained = whole.take_up(asked.data)
    yield from _around(trained, grid, "whole", known)
    for other in others:  # the plain one, where the study has it
        yield from _around(other.take_up(asked.data), grid, "plain", known)
    if plain and not others:
        spec = replace(whole.spec, architecture=plain_of(whole.spec.architecture))
        try:
            with asked.course.trained(spec, trained, "the plain network") as trainer:
                yield from _around(trainer, grid, "plain", known)
        except TrialFailure as failure:
            yield {"what": "network", "network": "plain", "note": f"was not trained: {failure.message}"}


def _around(trainer: Trainer, grid: Grid, name: str, known: Known) -> Iterator[Row]:
    described = {"params": sum(each.numel() for each in trainer.network.parameters()), "epochs": trainer.epoch}
    yield {"what": "network", "network": name, **described, "note": None}
    yield from surface(trainer, grid, name, known, _tell)


def _speed(asked: Asked) -> Iterator[Row]:
    return speeds(asked.timed, asked.data, rounds=asked.settings["rounds"], tell=_tell)


KINDS: dict[str, Callable[[Asked], Iterator[Row]]] = {
    "ensemble": _ensemble, "lesion": _lesion, "filters": _filters, "surface": _surface, "speed": _speed,
}  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m workers.analyse", description="Compute an analysis that search.analyse has asked for."
    )
    parser.add_argument("job", type=Path, help="a JSON file that search.analyse has written")
    add_threads(parser)
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


if __name__ == "__main__":
    cli.end_unread()
    sys.exit(main())
