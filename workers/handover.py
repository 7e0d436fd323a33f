"""Write a folder that holds a trained network and all that is needed to use it without the study."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spaces.architecture import Architecture
from spaces.errors import InputError, WidefrontError, first_line
from workers.card import Card, page
from workers.datasets import Dataset, load
from workers.exported import (
    ARCHITECTURE,
    CARD,
    PREPROCESS,
    WEIGHTS,
    Exported,
    module_of,
    read_json,
)
from workers.exported import load as open_folder
from workers.interchange import difference_onnx, difference_program, program_of, write_onnx, write_program
from workers.packages import require
from workers.preprocess import Preprocess
from workers.trainer import TrialSpec

PAGE, PREDICT = "README.md", "predict.py"
COMPARED = 256  # images that two runtimes are compared on
EVALUATED = 256  # images at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """What a network is tried on before it is handed over."""

    images: Tensor  # uint8 n c h w
    labels: Tensor | None  # none: they are random
    preprocess: Preprocess
    why: str = ""  # they are random: one line


def images_of(spec: TrialSpec, told: Preprocess | None, *, read: bool = True) -> Images:
    """Return a trial's validation images, or random ones of their shape where those cannot be read.

    Args:
        spec: what was trained.
        told: what its checkpoint says that pictures go through; none: it is of an earlier version.
        read: whether to read the data at all.

    Raises:
        InputError: the data cannot be read, and the checkpoint does not say what pictures go through.
    """
    try:
        data = _same(spec) if read else None
        why = "the data were not to be read"
    except (InputError, OSError, MemoryError) as error:
        data, why = None, first_line(error)
    if data is not None:
        return Images(images=data.val_images, labels=data.val_labels, preprocess=told or data.preprocess)
    if told is None:
        raise InputError(f"the weights are of an earlier version, which kept what images go through in the data: {why}")
    size = (COMPARED, told.channels, told.height, told.width)
    drawn = torch.randint(256, size, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return Images(images=drawn, labels=None, preprocess=told, why=why)


def _same(spec: TrialSpec) -> Dataset:
    """Return the data of a trial.

    Raises:
        InputError: they cannot be read, or are other images now.
    """
    data = load(spec.data)
    if spec.fingerprint and data.fingerprint != spec.fingerprint:
        raise InputError(f"the images of {spec.data.title} are not those that it was trained on")
    return data


def write(
    folder: Path, state: Mapping[str, Any], card: Card, images: Images, *, onnx: bool = False, program: bool = False
) -> Card:
    """Write all files into an empty folder, try them, and return the card with what was found.

    Args:
        folder: that is there, and empty.
        state: what the trial's checkpoint holds.
        card: what is known so far.
        images: to try the files on.
        onnx: also write `model.onnx`.
        program: also write `model.pt2`.

    Raises:
        InputError: a library or a package is not installed, or the weights are of another network.
        WidefrontError: what was written computes something else than what was trained.
    """
    packages = state["spec"].get("packages", {})
    require(packages)
    architecture = Architecture.from_json(state["spec"]["architecture"])
    try:
        module = module_of(architecture, images.preprocess, state["network"])
    except RuntimeError as error:
        raise InputError("the weights are of another network than their checkpoint says") from error
    _write_plain(folder, module, architecture, packages)
    card = replace(card, checks={**_tried(folder, module, images), **_more(folder, module, images, onnx, program)})
    (folder / PAGE).write_text(page(card, images.preprocess.class_names), encoding="utf-8")
    card = replace(card, files=_sums(folder))
    _write_json(folder / CARD, card.to_json())
    return card


def _write_plain(folder: Path, module: Exported, architecture: Architecture, packages: Mapping[str, str]) -> None:
    """Write what needs no other library than safetensors.

    Raises:
        InputError: that is not installed.
    """
    try:
        from safetensors.torch import save
    except ImportError as error:
        message = "an export needs safetensors, which `pip install 'widefront[export]'` brings"
        raise InputError(message) from error
    image = module.preprocess.image
    described = {"architecture": architecture.to_json(), "image": [image.channels, image.height, image.width],
                 "classes": image.classes, **({"packages": dict(packages)} if packages else {})}  # fmt: skip
    _write_json(folder / ARCHITECTURE, described)
    _write_json(folder / PREPROCESS, module.preprocess.to_json())
    about = {ARCHITECTURE: json.dumps(described), PREPROCESS: json.dumps(module.preprocess.to_json())}
    weights = {name: each.contiguous() for name, each in module.network.state_dict().items()}
    (folder / WEIGHTS).write_bytes(save(weights, metadata={"format": "pt", **about}))
    (folder / PREDICT).write_bytes(files("workers").joinpath("templates", PREDICT).read_bytes())


def _write_json(path: Path, held: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(held, indent=2) + "\n", encoding="ascii")  # ascii holds names that are no UTF-8 too


@torch.inference_mode()
def _tried(folder: Path, module: Exported, images: Images) -> dict[str, Any]:
    """Return what the folder, opened again, computes of the images.

    Raises:
        WidefrontError: something else than what was written.
    """
    opened = open_folder(folder)
    found = torch.cat([opened(each) for each in torch.split(images.images, EVALUATED)])
    if not torch.equal(found, torch.cat([module(each) for each in torch.split(images.images, EVALUATED)])):
        raise WidefrontError(f"{WEIGHTS} does not compute what the checkpoint does")
    if images.labels is None:
        return {"tried on": f"{len(found)} random images: {images.why}"}
    right = float((found.argmax(dim=1) == images.labels).float().mean())
    return {"tried on": f"{len(found)} validation images", "accuracy": right}


def _more(folder: Path, module: Exported, images: Images, onnx: bool, program: bool) -> dict[str, Any]:
    """Write the forms that are asked for, and return how far each is from torch."""
    found: dict[str, Any] = {}
    made = program_of(module) if onnx or program else None
    if onnx and made:
        opset = write_onnx(made, folder)
        apart = difference_onnx(module, folder, images.images[:COMPARED])
        found["onnx"] = {"opset": opset, "relative difference": apart}
    if program and made:
        write_program(made, folder)
        found["torch.export"] = {"relative difference": difference_program(module, folder, images.images[:COMPARED])}
    return found


def versions() -> dict[str, str]:
    """Return the versions of what writes a folder."""
    return {"widefront": version("widefront"), "torch": torch.__version__}


def _sums(folder: Path) -> dict[str, str]:
    return {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in sorted(folder.iterdir())}


def why_not_ours(folder: Path) -> str:
    """Return why a folder is not an export as it was written, or nothing where it is one, or is empty."""
    if not folder.is_dir():
        return "is no folder"
    names = {each.name for each in folder.iterdir()}
    if not names:
        return ""
    try:
        told = read_json(folder / CARD)["files"]
    except (InputError, KeyError):
        return f"holds no {CARD} of an export"
    if strange := sorted(names - told.keys() - {CARD}):
        return f"holds {strange[0]}, which is not of the export"
    changed = [name for name, found in _sums(folder).items() if name != CARD and told[name] != found]
    return f"holds {changed[0]}, which was changed" if changed else ""
