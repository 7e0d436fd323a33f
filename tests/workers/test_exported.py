"""A folder that was handed over opens with torch alone, computes what was trained, and says what is wrong with it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from spaces.errors import InputError
from tests.workers.handed import card, trained
from workers.exported import CARD, PREPROCESS, WEIGHTS, load, read_weights
from workers.handover import images_of, write
from workers.preprocess import Preprocess
from workers.trainer import Trainer


@pytest.fixture(scope="module")
def made() -> Trainer:
    return trained()


@pytest.fixture
def folder(tmp_path: Path, made: Trainer) -> Path:
    path = tmp_path / "export"
    path.mkdir()
    write(path, made.state(), card(made), images_of(made.spec, made.data.preprocess))
    return path


def test_it_computes_the_probabilities_that_were_measured(folder: Path, made: Trainer) -> None:
    made.network.eval()
    with torch.inference_mode():
        expected = made._logits(made.scale(made.data.val_images)).softmax(dim=1)
        found = load(folder)(made.data.val_images)
    assert torch.allclose(found, expected, atol=1e-6)
    right = float((found.argmax(dim=1) == made.data.val_labels).float().mean())
    assert right == pytest.approx(made.history[-1].metrics["accuracy"])


def test_bytes_and_floats_from_0_to_1_are_the_same_images(folder: Path, made: Trainer) -> None:
    module, images = load(folder), made.data.val_images[:32]
    with torch.inference_mode():
        found = module(images)
        for other in (images / 255, images.to(torch.int64), (images / 255).double()):
            assert torch.allclose(module(other), found, atol=1e-6)
    assert torch.allclose(found.sum(dim=1), torch.ones(32))


def test_the_weights_are_what_the_library_reads(folder: Path, made: Trainer) -> None:
    found, theirs = read_weights(folder / WEIGHTS), load_file(folder / WEIGHTS)
    assert found.keys() == theirs.keys() == made.network.state_dict().keys()
    for name, held in made.network.state_dict().items():
        assert torch.equal(found[name], held)
        assert torch.equal(theirs[name], held)
        assert found[name].dtype == held.dtype


def test_the_weights_alone_say_what_pictures_go_through(folder: Path, made: Trainer) -> None:
    with safe_open(folder / WEIGHTS, framework="pt") as held:
        told = held.metadata()
    assert Preprocess.from_json(json.loads(told[PREPROCESS])) == made.data.preprocess
    assert json.loads(told["architecture.json"])["architecture"] == made.spec.architecture.to_json()


def flip(path: Path) -> None:
    damaged = bytearray(path.read_bytes())
    damaged[-3] ^= 4
    path.write_bytes(damaged)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / WEIGHTS).unlink(), f"{WEIGHTS}: cannot be read"),
        (lambda folder: flip(folder / WEIGHTS), f"{WEIGHTS}: is damaged"),
        (lambda folder: (folder / PREPROCESS).write_text("[]"), f"{PREPROCESS}: holds no JSON object"),
        (lambda folder: (folder / PREPROCESS).write_text("{"), f"{PREPROCESS}: is not JSON"),
        (lambda folder: (folder / PREPROCESS).write_text("{}"), f"{PREPROCESS}: is no description of images"),
        (lambda folder: (folder / "architecture.json").unlink(), "architecture.json"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_place(folder: Path, spoil: Callable[[Path], None], said: str) -> None:
    spoil(folder)
    with pytest.raises(InputError, match=said):
        load(folder)


def test_weights_of_another_network_are_refused(folder: Path) -> None:
    other = json.loads((folder / "architecture.json").read_text())
    other["architecture"]["depths"] = [2, 1]
    (folder / "architecture.json").write_text(json.dumps(other))
    with pytest.raises(InputError, match=r"weights.safetensors: is not of the network in architecture.json"):
        load(folder)


GARBAGE = [b"", b"12345678", b"\xff" * 40, b"\x02" + bytes(7) + b"[]", b"\x09" + bytes(7) + b'{"a": {}}']


@pytest.mark.parametrize("content", GARBAGE)
def test_garbage_is_no_weights(folder: Path, content: bytes) -> None:
    (folder / CARD).unlink()
    (folder / WEIGHTS).write_bytes(content)
    with pytest.raises(InputError, match=r"is no safetensors file|is not of the network"):
        load(folder)
