"""A file asks for an analysis of kept weights, and lines of JSON answer it."""

import json
from pathlib import Path
from typing import Any

import pytest

from spaces.architecture import Architecture
from workers import checkpoint
from workers.analyse import main
from workers.datasets import load
from workers.kept import Kept, digest_of
from workers.recipe import Recipe
from workers.sources import DataSpec
from workers.trainer import TrialSpec, train

DIGITS = DataSpec(name="digits", limit=100)
SPEC = TrialSpec(
    architecture=Architecture(depths=(1, 1, 1), widening_factor=0.25), recipe=Recipe(epochs=1, batch_size=25),
    data=DIGITS, seed=3,
)  # fmt: skip
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    path = tmp_path_factory.mktemp("weights") / "0.pt"
    list(train(SPEC, load(DIGITS), checkpoint_path=path))
    state = checkpoint.load(path)
    assert state is not None
    return Kept(trial=0, address=str(path), spec=SPEC, weights=digest_of(state["network"]), cost=5.0)


def job(folder: Path, kept: Kept, **changes: Any) -> list[str]:
    """Return what the command is given."""
    usual = {"kind": "ensemble", "settings": {"most": 4}, "networks": [kept.to_json()], "data": DIGITS.to_json(),
             "fingerprint": load(DIGITS).fingerprint, "packages": {}, "device": "cpu"}  # fmt: skip
    (folder / "job.json").write_text(json.dumps({**usual, **changes}))
    return [str(folder / "job.json"), "--threads", "1"]


def test_a_line_is_a_row_and_the_last_one_says_how_many_images_were_looked_at(
    tmp_path: Path, kept: Kept, capsys: Capture
) -> None:
    assert main(job(tmp_path, kept)) == 0
    row, end = map(json.loads, capsys.readouterr().out.splitlines())
    (last,) = train(SPEC, load(DIGITS), checkpoint_path=kept.address)
    assert row["error"] == pytest.approx(1 - last.metrics["accuracy"])
    assert row["cost"] == 5
    assert end["images"] == len(load(DIGITS).val_labels)
    assert main(job(tmp_path, kept, kind="filters")) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["images"] == 0


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"fingerprint": "0" * 16}, 2, "data: the images are not those that the study was begun with"),
        ({"kind": "ensembles"}, 2, "unknown analysis 'ensembles'"),
        ({"networks": 3}, 2, "is not what search.analyse has written"),
        ({"device": "abacus"}, 2, "unknown device 'abacus'"),
    ],
)
def test_what_cannot_be_computed_is_one_line(
    tmp_path: Path, kept: Kept, changes: dict[str, Any], code: int, said: str, capsys: Capture
) -> None:
    assert main(job(tmp_path, kept, **changes)) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1


def test_weights_that_are_others_meanwhile_are_refused(tmp_path: Path, kept: Kept, capsys: Capture) -> None:
    told = {**kept.to_json(), "weights": "0" * 64}
    assert main(job(tmp_path, kept, networks=[told])) == 1
    assert "the weights of trial 0 have changed or gone meanwhile" in capsys.readouterr().err
