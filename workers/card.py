"""Tell whoever is given a network what it is: as JSON, and as a page in Markdown."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from spaces.errors import visible

FORM = 1  # of card.json

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What is known of a network that is handed over, as plain values."""

    study: str
    trial: int
    state: str  # of the trial
    epochs: int  # that the weights were trained
    full_epochs: int  # of full fidelity
    network: Facts  # its digest and the fields that were chosen
    costs: Facts
    recipe: Facts
    numerics: str  # precision and layout of the training
    seed: int
    data: Facts  # which images, how they were split, and the fingerprint of both parts
    measured: Facts  # on validation images, in the last of the epochs
    machines: Sequence[Facts]  # that trained: hardware and versions
    versions: Facts  # of what wrote the folder
    checks: Facts = field(default_factory=dict)  # what the files compute, compared with torch and with the study
    intervals: Facts | None = None  # by metric; none: nobody has computed any
    test: Facts | None = None  # looks at the test split; none: nobody has looked
    files: Facts = field(default_factory=dict)  # SHA-256 by name

    @property
    def is_full(self) -> bool:
        """Whether it was trained at full fidelity."""
        return self.epochs >= self.full_epochs

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values, without what is not there yet."""
        return {"widefront_export": FORM, **{name: value for name, value in asdict(self).items() if value is not None}}


def page(card: Card, class_names: Sequence[str]) -> str:
    """Return the card as Markdown."""
    sections = {
        "What it is": _table({**card.network, **card.costs}),
        "Classes": "\n".join(f"    {number} {json.dumps(name)}" for number, name in enumerate(class_names)),
        "How it was trained": _table({**card.recipe, "epochs": _epochs(card), "seed": card.seed,
                                      "computed in": card.numerics}),
        "On which images": _table(card.data),
        "Measured on validation images": _table(card.measured) + _passes(card),
        "Intervals": _table(card.intervals),
        "Looks at the test split": _table(card.test),
        "Checked when it was exported": _table(card.checks),
        "Hardware and versions": "\n\n".join(map(_table, (*card.machines, {"written by": _listed(card.versions)}))),
    }  # fmt: skip
    parts = [f"## {heading}\n\n{text}" for heading, text in sections.items() if text]
    return "\n\n".join([f"# {_plain(card.study)}, trial {card.trial}", _use(card), *parts]) + "\n"


def _epochs(card: Card) -> str:
    less = "" if card.is_full else f"; the trial is {card.state}, and this is not what full training comes to"
    return f"{card.epochs} of {card.full_epochs}{less}"


def _passes(card: Card) -> str:
    """Return what has to be said where the study measured otherwise than these files compute."""
    if not (passes := card.recipe.get("monte_carlo", 0)):
        return ""
    return (
        f"\n\nThe study measured the mean probabilities of {passes} passes with dropout on. These files compute one "
        "pass without dropout; what that reaches is under the checks, where the images could be read."
    )


def _use(card: Card) -> str:
    lines = ["python predict.py picture.png ...          # by torch; needs torch, Pillow and widefront"]
    if "onnx" in card.checks:
        lines.append("python predict.py --onnx picture.png ...   # by onnxruntime; needs onnxruntime and Pillow")
    lines.append("python -m workers.measure .                # how long it takes here")
    words = (
        "Images are `n c h w`: whole numbers from 0 to 255, or (by `workers.exported.load`) floats from 0 to 1. What "
        "comes out are probabilities `n k`. `preprocess.json` says size, channels, mean, deviation and classes; the "
        "mean is subtracted inside the network."
    )
    return "\n".join(f"    {line}" for line in lines) + f"\n\n{words}"


def _table(facts: Facts | None) -> str:
    if not facts:
        return ""
    rows = [f"| {_plain(name)} | {_plain(_shown(value))} |" for name, value in facts.items()]
    return "\n".join(["| | |", "|---|---|", *rows])


def _listed(facts: Facts) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items())


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return _listed(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _plain(text: object) -> str:
    """Return a text that Markdown shows as it is."""
    return re.sub(r"([\\`*\[\]<>|#~]|(?<!\w)_|_(?!\w))", r"\\\1", visible(str(text)))
