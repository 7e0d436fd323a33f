"""A network is trained again by a file alone: with other seeds, from other weights, on all images."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from spaces.architecture import Architecture, ImageSpec
from spaces.errors import InputError
from spaces.network import build
from workers import checkpoint
from workers.datasets import load
from workers.job import Job, read_any
from workers.recipe import Recipe
from workers.sources import DataSpec
from workers.train import main

DATA = DataSpec(name="digits", limit=100)
SMALL = Architecture(depths=(1, 1, 1), widening_factor=0.25)
IMAGE = ImageSpec(channels=1, height=8, width=8, classes=10)


def written(folder: Path, **changes: object) -> Path:
    """Return the file of a small job."""
    usual = Job(architecture=SMALL, recipe=Recipe(epochs=2, batch_size=32), data=DATA, seeds=(3, 4), folder=folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "job.json").write_text(json.dumps(replace(usual, **changes).to_json()))  # type: ignore[arg-type]
    return folder / "job.json"


def state(path: Path) -> dict[str, torch.Tensor]:
    found = checkpoint.load(path)
    assert found is not None
    return dict(found["network"])


def test_every_seed_is_trained_and_only_weights_are_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--job", str(written(tmp_path))]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"job.json", "seed-0.pt", "seed-1.pt"}
    assert capsys.readouterr().out.count("accuracy") == 4
    first, second = (state(tmp_path / f"seed-{place}.pt") for place in range(2))
    assert not all(torch.equal(first[name], second[name]) for name in first)


def test_the_same_again_trains_nothing_again(tmp_path: Path) -> None:
    path = written(tmp_path)
    main(["--job", str(path)])
    before = (tmp_path / "seed-0.pt").read_bytes()
    assert main(["--job", str(path)]) == 0
    assert (tmp_path / "seed-0.pt").read_bytes() == before


def test_on_all_images_nothing_is_measured_on_images_that_were_trained_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = replace(DATA, limit=None, whole=True)
    assert len(load(data).train_labels) == 1500
    assert len(load(data).val_labels) == 0
    main(["--job", str(written(tmp_path, data=replace(data, name="digits"), seeds=(1,))), "--json"])
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(told) == 2
    assert all("accuracy" not in each and "loss" not in each and each["train_loss"] > 0 for each in told)


def test_a_warm_start_begins_with_other_weights(tmp_path: Path) -> None:
    """With a rate of 0 the weights stay what they began as."""
    main(["--job", str(written(tmp_path / "first", seeds=(1,)))])
    weights = tmp_path / "first" / "seed-0.pt"
    still = Recipe(epochs=1, batch_size=32, learning_rate=0.0, weight_decay=0.0)
    main(["--job", str(written(tmp_path / "second", seeds=(9,), weights=weights, recipe=still))])
    began, ended = state(weights), state(tmp_path / "second" / "seed-0.pt")
    for name, value in began.items():
        if "running" not in name and "num_batches" not in name:
            assert torch.equal(value, ended[name]), name


def test_a_checkpoint_that_began_with_other_weights_is_another_training(tmp_path: Path) -> None:
    path = written(tmp_path)
    cold = next(iter(Job.read(path).trainings("")))[1]
    torch.save(build(SMALL, IMAGE).state_dict(), tmp_path / "w.pt")
    warm = next(iter(Job.read(written(tmp_path, weights=tmp_path / "w.pt")).trainings("")))[1]
    assert not cold.trains_as(warm)


def test_weights_of_another_network_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(build(Architecture(), IMAGE).state_dict(), tmp_path / "w.pt")
    assert main(["--job", str(written(tmp_path, weights=tmp_path / "w.pt"))]) == 2
    assert capsys.readouterr().err == "error: --weights: they are of another network\n"


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04 torn"])
def test_what_holds_no_weights_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.pt").write_bytes(content)
    with pytest.raises(InputError, match="holds no weights"):
        read_any(tmp_path / "w.pt")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"architecture": 3}', "{"])
def test_what_is_no_job_is_one_line(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "job.json").write_text(text)
    assert main(["--job", str(tmp_path / "job.json")]) == 2
    assert "is not a job that search.retrain has written" in capsys.readouterr().err
