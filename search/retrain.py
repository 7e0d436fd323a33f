"""Train a network of a study once more outside of it: longer, with other seeds, on all images.

python -m search.retrain URL --study S --trial 18 [--all-data] [--epochs 200] [--seeds 3] [--weights FILE] -o folder
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from search import cli
from search.config.stored import stored
from search.config.study import StudyConfig
from search.core.arguments import add_study, whole
from search.core.environment import expand
from search.core.files import replacing
from search.core.records import StudyRecord, TrialRecord
from search.storage.finding import find
from search.storage.store import Store
from search.study import weights
from search.study.seeds import seed_of
from spaces.errors import InputError
from workers import train
from workers.datasets import load
from workers.job import Job

FILE = "job.json"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return cli.run(_parser(), argv, _act)


def _act(given: argparse.Namespace) -> int:
    with Store.reading(expand(given.url, os.environ), cli.warn) as store:
        study = find(store, given.study)
        trial = weights.pick(study, store.trials(study.name), given.trial)
    config = stored(study, given.url)
    _check_images(study, config)
    job = job_of(study, config, trial, given)
    job.check(study.image_spec)  # before it is written
    path = given.output / FILE
    _write(path, job)
    if given.write_only:
        print(path)
        return cli.DONE
    return train.main(["--job", str(path), "--device", given.device])


def job_of(study: StudyRecord, config: StudyConfig, trial: TrialRecord, given: argparse.Namespace) -> Job:
    """Return what is to be trained."""
    recipe = config.recipe_of(trial.params)
    return Job(
        architecture=trial.architecture,
        recipe=replace(recipe, epochs=given.epochs or recipe.epochs),
        data=replace(config.data_spec, whole=given.all_data),
        seeds=tuple(seed_of(trial, 1000 + place) for place in range(given.seeds)),
        folder=given.output,
        weights=given.weights.absolute() if given.weights else None,
        packages=study.needed,
        told={"study": study.name, "trial": trial.number, "digest": trial.digest},
    )


def _check_images(study: StudyRecord, config: StudyConfig) -> None:
    try:
        data = load(config.data_spec)
    except InputError as error:
        raise error.at("data") from error
    if data.fingerprint != study.fingerprint:
        cli.warn([f"the images are not those that {study.name!r} was begun with"])


def _write(path: Path, job: Job) -> None:
    """Write the job where there is none, and go on with the same one.

    Raises:
        InputError: another one is there, whose weights would be taken for this one's.
    """
    text = json.dumps(job.to_json(), indent=1) + "\n"
    if path.exists():
        if path.read_text(encoding="utf-8", errors="replace") != text:
            raise InputError(f"{path} is another training; name another folder", place="--output")
        return
    with replacing(path, "job", lambda _path: False) as beside:
        beside.write_text(text, encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m search.retrain", description="Train a network of a study once more, outside of it."
    )
    add_study(parser)
    parser.add_argument("--trial", type=int, help="its number, as search.front tells it")
    parser.add_argument("--all-data", action="store_true", help="train on the validation images too; measure on none")
    parser.add_argument("--epochs", type=whole(1, 10**6), help="else as many as the study's full training")
    parser.add_argument("--seeds", type=whole(1, 1000), default=1, help="how many trainings (default: 1)")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="to begin with: a checkpoint or safetensors")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="job.json and weights")
    parser.add_argument("--write-only", action="store_true", help=f"write {FILE} for `python -m workers.train --job`")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


if __name__ == "__main__":
    sys.exit(main())
