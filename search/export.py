"""Write a trained network of a study as a folder that stands alone.

python -m search.export URL --study S --trial 18 -o folder [--onnx] [--torch-export]
"""

import argparse
import math
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from search import cli
from search.core.arguments import add_study
from search.core.confirmation import assessed
from search.core.environment import expand
from search.core.files import replacing_folder
from search.core.records import Session, StudyRecord, TrialRecord
from search.core.units import format_number_of, format_percent
from search.models.seeds import Interval
from search.storage.finding import find
from search.storage.store import Store
from search.study import weights
from search.study.checkpoints import named_folder
from search.study.weights import Weights
from workers.card import Card
from workers.handover import images_of, versions, why_not_ours, write
from workers.preprocess import Preprocess
from workers.recipe import SEARCHED
from workers.trainer import TrialSpec


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return cli.run(_parser(), argv, _export)


def _export(given: argparse.Namespace) -> int:
    card = export(
        given.url, given.study, given.trial, given.output, onnx=given.onnx, program=given.torch_export,
        data=not given.no_data, checkpoints=given.checkpoints,
    )  # fmt: skip
    print("\n".join(_lines(given.output, card)))
    return cli.DONE


def export(
    url: str,
    name: str | None,
    number: int | None,
    output: Path,
    *,
    onnx: bool = False,
    program: bool = False,
    data: bool = True,
    checkpoints: str | None = None,
) -> Card:
    """Write a trained network as a folder that stands alone, and return its card.

    Args:
        url: the database.
        name: of the study; may be left out where there is only one.
        number: of the trial.
        output: the folder.
        onnx: write model.onnx too, compared with torch.
        program: write torch's exported program too.
        data: try it on the study's images, else on random ones.
        checkpoints: where the study's weights lie now, if not where they were.

    Raises:
        InputError: there is no such trial, it has no weights, or something else is in the place of the folder.
    """
    with Store.reading(expand(url, os.environ), cli.warn) as store:
        study = find(store, name)
        trials, sessions = assessed(study, store.trials(study.name)), store.sessions(study.name)
    trial = weights.pick(study, trials, number)
    held = weights.read(study, trials, trial, named_folder(study, checkpoints))
    card = card_of(study, trial, held, sessions)
    cli.warn(_warnings(card, held))
    with replacing_folder(output, why_not_ours) as beside:
        told = held.state.get("preprocess")
        images = images_of(held.spec, Preprocess.from_json(told) if told else None, read=data)
        return write(beside, held.state, card, images, onnx=onnx, program=program)


def _own_costs(study: StudyRecord, trial: TrialRecord) -> dict[str, float]:
    """Return costs that not every study knows, such as what a command has measured, by name and unit."""
    more = trial.cost.more.items()
    return {f"{name} ({study.objective(name).unit})": value for name, value in more if name in study.measures}


def card_of(study: StudyRecord, trial: TrialRecord, held: Weights, sessions: Sequence[Session]) -> Card:
    """Return what is known of a trial whose weights are handed over."""
    return Card(
        study=study.name,
        trial=trial.number,
        state=str(trial.state),
        epochs=held.epochs,
        full_epochs=study.max_epochs,
        network={"digest": trial.digest, **{k: v for k, v in trial.params.items() if k not in SEARCHED}},
        costs={**trial.cost.to_json(), **_own_costs(study, trial)},
        recipe={name: value for name, value in held.spec.recipe.to_json().items() if value is not None},
        numerics=str(held.state.get("numerics", "")),
        seed=held.spec.seed,
        data=_data(study, held.spec),
        measured=held.last.metrics,
        machines=_machines(trial, sessions),
        versions=versions(),
        intervals=_intervals(trial),
        test=_test(trial),
    )


def _intervals(trial: TrialRecord) -> dict[str, Any] | None:
    """Return what other seeds tell of the network, where it was confirmed."""
    known = trial.confirmation
    if known is None:
        return None
    told = {name: _told(each) for name, each in known.intervals.items()}
    return {"seeds": known.seeds, "probability to be on the front": known.on_front, **told}


def _test(trial: TrialRecord) -> dict[str, Any] | None:
    known = trial.confirmation
    if known is None or not known.test:
        return None
    return {"looks": known.looks, **{name: _told(each) for name, each in known.test.items()}}


def _told(known: Interval) -> str:
    if math.isnan(known.low):
        return f"mean {known.mean:.6g}"
    return f"mean {known.mean:.6g}, from {known.low:.6g} to {known.high:.6g} at 95 %"


def _data(study: StudyRecord, spec: TrialSpec) -> dict[str, Any]:
    """Return which images were trained on, without a word of where they lie on this machine."""
    told = {name: value for name, value in spec.data.anywhere().to_json().items() if value is not None}
    fingerprint = spec.fingerprint or study.fingerprint
    return {**told, "title": spec.data.title, "fingerprint": fingerprint}


def _machines(trial: TrialRecord, sessions: Sequence[Session]) -> list[dict[str, Any]]:
    """Return the machines that a trial was trained on, and that of the launch which began it or took it over last."""
    devices = sorted({each.device for each in trial.measurements if each.device})
    own = [dict(each.machine) for each in sessions if each.machine and trial.session in (None, each.id)]
    return [*([{"computed on": ", ".join(devices)}] if devices else []), *own]


def _warnings(card: Card, held: Weights) -> Iterator[str]:
    if held.warning:
        yield held.warning
    if not card.is_full:
        trained = f"{card.epochs} of {format_number_of('epoch', card.full_epochs)}"
        yield f"trial {card.trial} is {card.state}: what is exported was trained {trained}"
    if passes := card.recipe.get("monte_carlo", 0):
        yield f"the study measured {passes} passes with dropout; what is exported computes one pass without"


def _lines(folder: Path, card: Card) -> Iterator[str]:
    """Yield what was written and what it was found to do."""
    yield f"{folder}: {', '.join(sorted(card.files))}"
    yield f"tried on {card.checks['tried on']}"
    if (accuracy := card.checks.get("accuracy")) is not None:
        told = card.measured.get("accuracy")
        yield f"accuracy {format_percent(accuracy)}" + (f", in the study {format_percent(told)}" if told else "")
    for name in ("onnx", "torch.export"):
        if found := card.checks.get(name):
            opset = f" opset {found['opset']}" if "opset" in found else ""
            yield f"{name}{opset}: largest relative difference from torch {found['relative difference']:.1e}"


def _folder_here(text: str) -> Path:
    if "://" in text:
        raise argparse.ArgumentTypeError(f"{text} is a URL; a folder of this machine is required")
    return Path(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m search.export", description="Write a trained network as a folder that stands alone."
    )
    add_study(parser)
    parser.add_argument("--trial", type=int, help="its number, as search.front tells it")
    output = "to be written; an earlier export is replaced, and nothing else"
    parser.add_argument("-o", "--output", type=_folder_here, required=True, metavar="FOLDER", help=output)
    parser.add_argument("--onnx", action="store_true", help="also model.onnx, compared with torch in onnxruntime")
    parser.add_argument("--torch-export", action="store_true", help="also model.pt2, torch's own exported program")
    parser.add_argument("--no-data", action="store_true", help="do not read the study's images; random ones are tried")
    parser.add_argument("--checkpoints", metavar="FOLDER", help="where the study's weights lie now, or its URL")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


if __name__ == "__main__":
    sys.exit(main())
