"""Networks are trained one after another; what is one's own fault ends it alone, and what was begun goes on."""

import json
from pathlib import Path
from typing import Any

import pytest

from spaces.architecture import Architecture
from workers.datasets import load
from workers.recipe import Recipe
from workers.series import main
from workers.sources import DataSpec

pytestmark = pytest.mark.usefixtures("one_thread")
Capture = pytest.CaptureFixture[str]
SPEC = DataSpec(name="digits", limit=100)
SMALL = Architecture(widening_factor=0.25)


def training(key: str, **changed: Any) -> dict[str, Any]:
    recipe = Recipe(epochs=2, batch_size=32, **changed.pop("recipe", {})).to_json()
    return {"key": key, "architecture": SMALL.to_json(), "recipe": recipe, "seed": 0, "readings": [], **changed}


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """Give a job of three trainings, the second of which comes to nothing."""
    asked = [
        training("a", readings=["train_error"]),
        training("b", recipe={"learning_rate": 1e30}),
        training("c", seed=1),
    ]
    told = {
        "data": SPEC.to_json(), "fingerprint": load(SPEC).fingerprint, "device": "cpu", "folder": str(tmp_path),
        "timed": [], "trainings": asked,
    }  # fmt: skip
    path = tmp_path / "job.json"
    path.write_text(json.dumps(told))
    return path


def changed(job: Path, **values: Any) -> Path:
    job.write_text(json.dumps({**json.loads(job.read_text()), **values}))
    return job


def lines(capsys: Capture) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_each_training_tells_its_epochs_and_its_end(job: Path, capsys: Capture) -> None:
    assert main([str(job), "--threads", "1"]) == 0
    first, *rest = lines(capsys)
    assert first["machine"]["threads"] == "1"
    assert [each["key"] for each in rest if "epoch" in each] == ["a", "a", "c", "c"]
    ends = {each["key"]: each for each in rest if "epoch" not in each}
    assert 0 <= ends["a"]["read"]["train_error"] <= 1
    assert ends["b"]["failed"].startswith("not-finite")
    assert ends["c"]["read"] == {}


def test_what_was_begun_goes_on(job: Path, capsys: Capture) -> None:
    assert main([str(job), "--threads", "1"]) == 0
    before = [each["epoch"] for each in lines(capsys) if each.get("key") == "a" and "epoch" in each]
    assert main([str(job), "--threads", "1"]) == 0  # every checkpoint is still there
    assert [each["epoch"] for each in lines(capsys) if each.get("key") == "a" and "epoch" in each] == before


def test_what_cannot_be_timed_keeps_nothing_else_from_being_timed(job: Path, capsys: Capture) -> None:
    timed = [training("a", recipe={"learning_rate": 1e30}), training("b")]
    assert main([str(changed(job, timed=timed, trainings=[])), "--threads", "1"]) == 0
    _, *rest = lines(capsys)
    assert [each["key"] for each in rest] == ["b"]


def test_an_epoch_is_timed_and_nothing_is_trained(job: Path, capsys: Capture) -> None:
    assert main([str(changed(job, timed=[training("a")], trainings=[])), "--threads", "1"]) == 0
    _, timed = lines(capsys)
    assert timed["key"] == "a"
    assert timed["epoch_s"] > 0
    assert not list(job.parent.glob("*.pt"))


def test_what_a_network_refuses_fails_that_reading_alone(job: Path, capsys: Capture) -> None:
    asked = [training("a", readings=["deepest", "train_error"])]
    assert main([str(changed(job, trainings=asked)), "--threads", "1"]) == 0
    end = lines(capsys)[-1]
    assert list(end["read"]) == ["train_error"]
    assert "column" in end["refused"]["deepest"]


@pytest.mark.parametrize(
    ("values", "told"),
    [({"fingerprint": "other"}, "data: the images are not those"), ({"trainings": None, "data": 3}, "series")],
)
def test_another_job_is_refused(job: Path, capsys: Capture, values: dict[str, Any], told: str) -> None:
    path = changed(job, **values)
    if "data" in values:
        path.write_text("{}")
        told = "is not what search.claims has written"
    assert main([str(path), "--threads", "1"]) == 2
    assert told in capsys.readouterr().err
