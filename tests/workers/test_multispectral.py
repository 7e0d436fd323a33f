"""Images of five channels go the whole way: read, counted, augmented, trained, timed, handed over and used."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spaces.architecture import Architecture
from spaces.counting import cost
from tests.workers.handed import SMALL, card
from workers.augment import Augment
from workers.datasets import load
from workers.device import use_threads
from workers.exported import load as open_folder
from workers.handover import images_of, write
from workers.measurement import Measurement
from workers.recipe import Recipe
from workers.sources import DataSpec
from workers.trainer import Trainer, TrialSpec, train

ROOT = Path(__file__).resolve().parents[2]
CHANGED = Augment(crop=1, flip=True, cutout=2)


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> TrialSpec:
    """Give a training on floats n h w c of five channels, whose class is how bright the last of them is."""
    use_threads(1)
    chance = np.random.default_rng(0)
    labels = np.arange(240) % 3
    images = chance.random((240, 9, 7, 5)).astype(np.float32) * 0.4
    images[..., 4] += labels[:, None, None] * 0.3
    path = tmp_path_factory.mktemp("bands") / "bands.npz"
    np.savez(path, images=images, labels=np.array(["dry", "green", "water"])[labels])
    data = DataSpec(name="npz", path=str(path), channels="last", augment=CHANGED)
    recipe = Recipe(epochs=4, batch_size=16, precision="float32")
    return TrialSpec(architecture=SMALL, recipe=recipe, data=data, seed=0, measures=("latency_ms",))


@pytest.fixture(scope="module")
def made(spec: TrialSpec) -> Trainer:
    trainer = Trainer(spec, load(spec.data))
    for _ in range(spec.recipe.epochs):
        trainer.run_epoch()
    return trainer


def test_the_class_is_found_in_the_fifth_channel(made: Trainer) -> None:
    last = made.history[-1].metrics
    assert last["accuracy"] > 0.9
    assert last["latency_ms"] > 0
    assert made.data.class_names == ("dry", "green", "water")


@pytest.mark.parametrize("block", ["basic", "dense", "separable", "preact"])
def test_what_is_counted_is_what_is_built(spec: TrialSpec, block: str) -> None:
    data = load(spec.data)
    architecture = Architecture(block=block, depths=(1, 1), widths=(8, 16), stem_width=8)
    trainer = Trainer(replace(spec, architecture=architecture), data)
    held = sum(each.numel() for each in trainer.network.parameters())
    assert cost(architecture, data.image).params == held
    three = cost(architecture, replace(data.image, channels=3)).params
    assert held - three == 2 * 9 * 8  # two more channels into a stem of 3x3 and width 8


def test_each_channel_is_normalised_by_its_own_mean(made: Trainer) -> None:
    assert made.data.mean.shape == made.data.std.shape == (5,)
    assert float(made.data.mean[4]) > float(made.data.mean[:4].max()) + 0.2
    normalised = made.scale(made.data.train_images)
    assert torch.allclose(normalised.mean(dim=(0, 2, 3)), torch.zeros(5), atol=1e-3)
    assert torch.allclose(normalised.std(dim=(0, 2, 3)), torch.ones(5), atol=1e-2)


def test_a_training_that_was_interrupted_ends_as_if_it_had_not_been(spec: TrialSpec, tmp_path: Path) -> None:
    plain, data = replace(spec, measures=()), load(spec.data)
    whole = list(train(plain, data))
    first = train(plain, data, checkpoint_path=tmp_path / "0.pt")
    next(first)
    first.close()

    def shown(each: Measurement) -> list[float]:
        return [each.metrics[name] for name in ("accuracy", "loss", "train_loss")]

    again = list(train(plain, data, checkpoint_path=tmp_path / "0.pt"))
    assert [shown(each) for each in again] == [shown(each) for each in whole]


@pytest.mark.slow
@pytest.mark.parametrize("option", [[], ["--onnx"]])
def test_the_folder_tells_arrays_apart(made: Trainer, tmp_path: Path, option: list[str]) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    write(folder, made.state(), card(made), images_of(made.spec, made.data.preprocess), onnx=bool(option))
    given = json.loads((folder / "preprocess.json").read_text())
    assert (given["channels"], given["scale"], len(given["mean"])) == (5, 1, 5)
    with np.load(made.spec.data.path or "") as archive:
        images, labels = archive["images"][:3], archive["labels"][:3]
    for number, each in enumerate(images):
        np.save(tmp_path / f"{number}.npy", each)
    done = subprocess.run(
        [sys.executable, str(folder / "predict.py"), *option, *(str(tmp_path / f"{each}.npy") for each in range(3))],
        capture_output=True, text=True, check=False, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["class"] for each in told] == labels.tolist()
    with torch.inference_mode():
        expected = open_folder(folder)(torch.from_numpy(images).permute(0, 3, 1, 2))
    for each, row in zip(told, expected, strict=True):
        assert each["probabilities"] == pytest.approx(row.tolist(), abs=2e-3)  # of bytes, and of floats
