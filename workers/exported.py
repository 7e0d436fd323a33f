"""Open a folder that `search.export` has written, as a module that takes images and returns probabilities.

Needs torch alone. The weights are in the safetensors format: the length of a JSON header as 8 bytes, the header, the
numbers. It is read here, so that a folder opens where the library of that name is not installed.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spaces.architecture import Architecture
from spaces.errors import InputError
from spaces.network import build
from spaces.settings import load_architecture
from workers.preprocess import Preprocess

WEIGHTS, ARCHITECTURE, PREPROCESS, CARD = "weights.safetensors", "architecture.json", "preprocess.json", "card.json"
ONNX, PROGRAM = "model.onnx", "model.pt2"
INPUT, OUTPUT = "images", "probabilities"
TYPES = {"F32": torch.float32, "I64": torch.int64}  # in which networks keep what they have learned


class Exported(nn.Module):
    """softmax(network((x - mean) / deviation)), x on a scale of 0 to 1."""

    scale: Tensor
    shift: Tensor

    def __init__(self, network: nn.Module, preprocess: Preprocess) -> None:
        super().__init__()
        self.network = network
        self.preprocess = preprocess
        mean, std = (torch.tensor(each).reshape(1, -1, 1, 1) for each in (preprocess.mean, preprocess.deviation))
        # As in training, to the bit.
        self.register_buffer("scale", 1 / (std * 255), persistent=False)
        self.register_buffer("shift", mean / (std * 255 / 255), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return probabilities `n k`.

        Args:
            images: `n c h w`, of the size in `preprocess`; whole numbers from 0 to 255, or floats from 0 to 1.
        """
        pixels = images.to(torch.float32) * 255 if images.is_floating_point() else images.to(torch.float32)
        logits: Tensor = self.network(pixels * self.scale - self.shift)
        return logits.softmax(dim=1)


def load(folder: str | Path) -> Exported:
    """Return the module of a folder, evaluating, in float32 on the processor.

    Raises:
        InputError: a file is missing, damaged or of another network, or a package is not here that builds its blocks.
    """
    given = Path(folder)
    _load_packages(given / ARCHITECTURE)
    architecture, _ = load_architecture(given / ARCHITECTURE)
    try:
        preprocess = Preprocess.from_json(read_json(given / PREPROCESS))
    except InputError as error:
        raise error if error.place else error.at(str(given / PREPROCESS)) from error
    check_whole(given, WEIGHTS)
    try:
        return module_of(architecture, preprocess, read_weights(given / WEIGHTS))
    except RuntimeError as error:  # torch's, of keys and shapes
        raise InputError(f"is not of the network in {ARCHITECTURE}", place=str(given / WEIGHTS)) from error


def _load_packages(described: Path) -> None:
    """Load the packages of a person's own that build a network's blocks, where it has any.

    Raises:
        InputError: one is not here, or is another version.
    """
    if not (packages := read_json(described).get("packages")):
        return
    from workers.packages import require  # brings numpy, which others need not have

    try:
        require(packages)
    except InputError as error:
        raise error if error.place else error.at(str(described)) from error


def module_of(architecture: Architecture, preprocess: Preprocess, weights: dict[str, Tensor]) -> Exported:
    """Return a network with its weights, evaluating.

    Raises:
        RuntimeError: the weights are not of this network.
    """
    network = build(architecture, preprocess.image, generator=torch.Generator())
    network.load_state_dict(weights)
    return Exported(network, preprocess).eval()


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file.

    Raises:
        InputError: it cannot be read, or is none.
    """
    held = _read(path)
    try:
        start = 8 + int.from_bytes(held[:8], "little")
        header = json.loads(bytes(held[8:start]))
        return {name: _tensor(held[start:], told) for name, told in header.items() if name != "__metadata__"}
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise InputError("is no safetensors file of a network", place=str(path)) from error


def _tensor(numbers: memoryview, told: dict[str, Any]) -> Tensor:
    begin, end = told["data_offsets"]
    kind = TYPES[told["dtype"]]
    if begin == end:
        return torch.empty(told["shape"], dtype=kind)
    return torch.frombuffer(bytearray(numbers[begin:end]), dtype=kind).reshape(told["shape"])


def read_json(path: Path) -> dict[str, Any]:
    """Return the object that a JSON file holds.

    Raises:
        InputError: it cannot be read, or holds none.
    """
    try:
        found = json.loads(bytes(_read(path)))
    except ValueError as error:
        raise InputError("is not JSON", place=str(path)) from error
    if not isinstance(found, dict):
        raise InputError("holds no JSON object", place=str(path))
    return found


def check_whole(folder: Path, name: str) -> None:
    """Refuse a file that is not as it was written, as far as the folder's card tells.

    Raises:
        InputError: it is missing or changed.
    """
    told = read_json(folder / CARD).get("files", {}).get(name) if (folder / CARD).exists() else None
    if told is not None and hashlib.sha256(_read(folder / name)).hexdigest() != told:
        raise InputError(f"is damaged: its SHA-256 is not that of {CARD}", place=str(folder / name))


def _read(path: Path) -> memoryview:
    try:
        return memoryview(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", place=str(path)) from error
