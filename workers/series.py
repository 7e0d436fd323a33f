"""Train networks one after another and read off each what is asked: `python -m workers.series job.json`.

A line on stdout is what happened: the machine first, then an epoch of a training, or its end with what
was read off and what could not be, or why it failed. Where nobody reads any more, this ends.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from spaces import cli
from spaces.architecture import Architecture
from spaces.errors import InputError, TrialFailure, first_line
from workers.checkpoint import Checkpoint
from workers.datasets import Dataset, load
from workers.device import choose_device, fingerprint
from workers.failures import classify
from workers.kinds import FailureKind
from workers.numerics import pick, usual
from workers.probe import verdict_of
from workers.readings import reading
from workers.recipe import Recipe
from workers.settings import add_threads, say, set_threads
from workers.sources import DataSpec
from workers.timing import epoch_s
from workers.trainer import Trainer, TrialSpec, train

Line = dict[str, Any]


def main(argv: Sequence[str] | None = None) -> int:
    """Train what a job asks for, and return the exit code."""
    return cli.run(_parser(), argv, _run)


def _run(given: argparse.Namespace) -> int:
    threads, busy = set_threads(given.threads)
    job = _job(given.job)
    spec = DataSpec.from_json(job["data"])
    data = load(spec)
    if data.fingerprint != job["fingerprint"]:
        raise InputError("the images are not those that were asked about", place="data")
    data = data.to(choose_device(job["device"]))
    say(busy)
    _tell({"machine": {**fingerprint(data.train_images.device), "threads": str(threads)}})
    for asked in job["timed"]:
        with suppress(TrialFailure, RuntimeError, MemoryError):  # its training will tell why
            took_s = epoch_s(_trial(asked, spec, data), data, data.train_images.device)
            _tell({"key": asked["key"], "epoch_s": took_s})
    for asked in job["trainings"]:
        for line in _lines(asked, spec, data, Path(job["folder"]), threads):
            _tell({"key": asked["key"], **line})
    return cli.DONE


def _job(path: Path) -> Mapping[str, Any]:
    try:
        job: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {name: job[name] for name in ("data", "fingerprint", "device", "folder", "timed", "trainings")}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("is not what search.claims has written", place=str(path)) from error


def _tell(line: Line) -> None:
    print(json.dumps(line), flush=True)


def _lines(asked: Mapping[str, Any], spec: DataSpec, data: Dataset, folder: Path, threads: int) -> Iterator[Line]:
    """Yield what happens to one training; what fails is its own, and the next one goes on.

    Its checkpoint stays, until whoever asked has written down what came of it.
    """
    try:
        yield from _trained(_trial(asked, spec, data), data, folder / f"{asked['key']}.pt", asked["readings"], threads)
    except TrialFailure as failure:
        yield {"failed": str(failure)}
    except (RuntimeError, MemoryError) as error:  # as torch's, of memory above all
        yield {"failed": str(classify(error))}
    except InputError as error:
        yield {"failed": first_line(error)}


def _trial(asked: Mapping[str, Any], spec: DataSpec, data: Dataset) -> TrialSpec:
    return TrialSpec(
        architecture=Architecture.from_json(asked["architecture"]), recipe=Recipe.from_json(asked["recipe"]), data=spec,
        seed=asked["seed"], fingerprint=data.fingerprint,
    )  # fmt: skip


def _trained(trial: TrialSpec, data: Dataset, path: Path, readings: Sequence[str], threads: int) -> Iterator[Line]:
    verdict = verdict_of(trial.recipe, data.image, data.train_images.device, threads=threads)
    picked = partial(pick, trial.recipe, verdict.step_ms, verdict.wrong)
    for measurement in train(trial, data, checkpoint_path=path, pick=picked):
        yield {"epoch": measurement.to_json()}
    yield _read(trial, data, path, readings) if readings else {"read": {}}


def _read(trial: TrialSpec, data: Dataset, path: Path, readings: Sequence[str]) -> Line:
    """Return what is read off the network that was trained last, and why something could not be.

    Its checkpoint holds it.
    """
    if (state := Checkpoint(path).load()) is None:
        raise TrialFailure(FailureKind.DATA, "its checkpoint is gone or damaged")
    numerics = usual(trial.recipe, data.train_images.device, state.get("numerics"))
    trainer = Trainer(trial, data, numerics=numerics)
    trainer.resume({**state, "optimizer": None})
    read, refused = dict[str, float](), dict[str, str]()
    for name in readings:
        try:
            read[name] = reading(name, trainer)
        except InputError as error:
            refused[name] = first_line(error)
        except (RuntimeError, MemoryError) as error:  # as of the training: of memory above all
            refused[name] = str(classify(error))
    return {"read": read, "refused": refused}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m workers.series", description="Train networks one after another, as search.claims asks for it."
    )
    parser.add_argument("job", type=Path, help="a JSON file that search.claims has written")
    add_threads(parser)
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


if __name__ == "__main__":
    cli.end_unread()
    sys.exit(main())
