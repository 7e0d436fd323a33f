"""Write a network as it is before training, for whoever measures what it costs: weights drawn by a fixed seed."""

import json
from collections.abc import Iterable
from pathlib import Path

import torch

from spaces.architecture import Architecture, ImageSpec
from spaces.network import build
from workers import command
from workers.exported import ARCHITECTURE, ONNX, PREPROCESS, PROGRAM, Exported
from workers.interchange import program_of, write_onnx, write_program
from workers.preprocess import Preprocess

FILES = {command.ONNX: ONNX, command.PROGRAM: PROGRAM, command.ARCHITECTURE: ARCHITECTURE}


def write_untrained(architecture: Architecture, image: ImageSpec, forms: Iterable[str], folder: Path) -> None:
    """Write the files that a command reads: `model.onnx`, `model.pt2` as `search.export` does, `architecture.json`.

    Args:
        architecture: of the network.
        image: one image that it reads, and its classes.
        forms: of `workers.command.FORMS`.
        folder: that is there.

    Raises:
        InputError: a library is not installed.
        WidefrontError: torch cannot write the network.
    """
    preprocess = _nothing_subtracted(image)
    described = {"architecture": architecture.to_json(), "image": [image.channels, image.height, image.width],
                 "classes": image.classes}  # fmt: skip
    (folder / ARCHITECTURE).write_text(json.dumps(described, indent=2) + "\n", encoding="ascii")
    (folder / PREPROCESS).write_text(json.dumps(preprocess.to_json()) + "\n", encoding="ascii")
    if not {command.ONNX, command.PROGRAM}.intersection(forms):
        return
    network = build(architecture, image, generator=torch.Generator().manual_seed(0))
    program = program_of(Exported(network, preprocess).eval())
    if command.ONNX in forms:
        write_onnx(program, folder)
    if command.PROGRAM in forms:
        write_program(program, folder)


def _nothing_subtracted(image: ImageSpec) -> Preprocess:
    return Preprocess(
        channels=image.channels,
        height=image.height,
        width=image.width,
        mean=(0.0,) * image.channels,
        deviation=(1.0,) * image.channels,
        class_names=tuple(map(str, range(image.classes))),
    )
